//! Where models compute: DataFusion's partitions are what runs side by side, so the kernels of each have one thread.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::SqlError;

/// Pools of a thread each that nobody uses now.
static IDLE: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());

/// Does `work` on a thread whose kernels stay on it. There are as many as there ever were batches scored at once, which is
/// at most the partitions of a query that run side by side.
pub(crate) fn on_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, SqlError> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let pool = match idle {
        Some(pool) => pool,
        None => {
            let pool = ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "iqa-score".into()).build();
            Arc::new(pool.map_err(|error| SqlError::Threads(error.to_string()))?)
        }
    };
    let result = pool.install(work);
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(pool);
    Ok(result)
}
