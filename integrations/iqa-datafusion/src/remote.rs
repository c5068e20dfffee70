//! Pictures of URLs: a few are fetched ahead of the one that is scored.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use datafusion::config::ConfigOptions;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use url::{Position, Url};

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
    let stores = Arc::new(Stores::new(config));
    if let Some(runtime) = &*RUNTIME {
        runtime.spawn(async move {
            let contents = urls.into_iter().map(|(row, url)| {
                let stores = Arc::clone(&stores);
                async move { (row, stores.content(&url).await) }
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

/// Where contents come from.
struct Stores {
    registry: Arc<dyn ObjectStoreRegistry>,
    /// What else decides which store it is.
    settings: String,
}

impl Stores {
    fn new(config: &ConfigOptions) -> Self {
        Self { registry: registry(config), settings: settings(config) }
    }

    /// The store of a URL, one for all of its host: with each comes a client, whose connections are used again.
    fn of(&self, url: &Url) -> Result<Arc<dyn ObjectStore>, String> {
        static OPEN: LazyLock<Mutex<HashMap<String, Arc<dyn ObjectStore>>>> = LazyLock::new(Mutex::default);
        let key = format!("{}{}", &url[..Position::BeforePath], self.settings);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&key) {
            return Ok(Arc::clone(store));
        }
        let store = self.registry.get_store(url).map_err(|error| error.to_string())?;
        open.insert(key, Arc::clone(&store));
        Ok(store)
    }

    async fn content(&self, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        // A store is asked for a path alone, and would give another picture.
        if url.query().is_some() || url.fragment().is_some() {
            return Err("expected a URL without `?` and `#` (%3F and %23 in a name)".into());
        }
        let store = self.of(&url)?;
        let path = Path::from_url_path(url.path()).map_err(|error| error.to_string())?;
        let content = store.get(&path).await.map_err(|error| error.to_string())?;
        Ok(content.bytes().await.map_err(|error| error.to_string())?.to_vec())
    }
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

#[cfg(feature = "s3")]
fn settings(config: &ConfigOptions) -> String {
    use ballista_core::object_store::S3Options;
    use datafusion::config::ExtensionOptions;
    let entries = config.extensions.get::<S3Options>().map(ExtensionOptions::entries).unwrap_or_default();
    entries.into_iter().map(|entry| format!(" {}={:?}", entry.key, entry.value)).collect()
}

#[cfg(not(feature = "s3"))]
fn settings(_: &ConfigOptions) -> String {
    String::new()
}
