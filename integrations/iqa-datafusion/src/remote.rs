//! Pictures of URLs: a few are fetched ahead of the one that is scored.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, sync_channel};

use datafusion::config::ConfigOptions;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use url::Url;

/// Fetched at once, and again as many that wait: what bounds the memory, with the size of a file.
const AHEAD: usize = 8;

/// Whether it is a URL, and not a path.
pub(crate) fn is_url(place: &str) -> bool {
    place.contains("://")
}

/// Contents as they arrive, in the order of their rows.
pub(crate) struct Fetched(Receiver<(usize, Result<Vec<u8>, String>)>);

impl Fetched {
    /// That of a row, waited for; those of earlier rows are gone then.
    pub(crate) fn take(&mut self, row: usize) -> Option<Result<Vec<u8>, String>> {
        self.0.iter().find_map(|(found, content)| (found == row).then_some(content))
    }
}

/// Begins to fetch the URLs of rows. Who is done with them drops them: the rest is not fetched.
pub(crate) fn fetch(urls: Vec<(usize, String)>, config: &ConfigOptions) -> Fetched {
    static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()
    });
    let (sender, receiver) = sync_channel(AHEAD);
    let registry = registry(config);
    if let Some(runtime) = &*RUNTIME {
        runtime.spawn(async move {
            let contents = urls.into_iter().map(|(row, url)| {
                let registry = Arc::clone(&registry);
                async move { (row, one(&url, &*registry).await) }
            });
            let mut contents = futures::stream::iter(contents).buffered(AHEAD);
            while let Some(content) = contents.next().await {
                // Waits for the scores, off the threads that fetch.
                let sender = sender.clone();
                let sent = tokio::task::spawn_blocking(move || sender.send(content).is_ok()).await;
                if !matches!(sent, Ok(true)) {
                    return;
                }
            }
        });
    }
    Fetched(receiver)
}

async fn one(url: &str, registry: &dyn ObjectStoreRegistry) -> Result<Vec<u8>, String> {
    let parsed = Url::parse(url).map_err(|error| error.to_string())?;
    let store: Arc<dyn ObjectStore> = registry.get_store(&parsed).map_err(|error| error.to_string())?;
    let path = Path::from_url_path(parsed.path()).map_err(|error| error.to_string())?;
    let content = store.get(&path).await.map_err(|error| error.to_string())?;
    Ok(content.bytes().await.map_err(|error| error.to_string())?.to_vec())
}

/// Where URLs lead: with the feature `s3` those of S3 (settings `s3.*` of the session, or the variables of the AWS programs)
/// and HTTP, without it `file://` alone.
#[cfg(feature = "s3")]
fn registry(config: &ConfigOptions) -> Arc<dyn ObjectStoreRegistry> {
    use ballista_core::object_store::{CustomObjectStoreRegistry, S3Options};
    let options = config.extensions.get::<S3Options>().cloned().unwrap_or_default();
    Arc::new(CustomObjectStoreRegistry::new(options))
}

#[cfg(not(feature = "s3"))]
fn registry(_: &ConfigOptions) -> Arc<dyn ObjectStoreRegistry> {
    Arc::new(datafusion::execution::object_store::DefaultObjectStoreRegistry::new())
}
