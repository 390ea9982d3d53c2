//! A bounded cache of keys: each is loaded once however many ask, lives a fixed time, and may go on serving past it where the
//! source does not serve.
//!
//! Values wipe themselves when the last user drops them. `forget` takes effect at once in this process, for a load under way
//! too: it is made again.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};

use crate::error::{Error, Kind, Result};

/// Most times that a load is made again because something was forgotten meanwhile.
const AGAIN: usize = 3;

/// Values by key.
#[derive(Clone)]
pub(super) struct Kept<K, V> {
    fresh: Cache<K, V>,
    /// What was loaded last, for as long as it may serve in place of its source.
    last: Cache<K, V>,
    forgotten: Arc<AtomicU64>,
}

impl<K, V> Kept<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// At most `entries`, each fresh for `life`, and for `stale` where its source is out of reach.
    pub(super) fn new(entries: u64, life: Duration, stale: Duration) -> Self {
        let cache = |life| Cache::builder().max_capacity(entries).time_to_live(life).support_invalidation_closures().build();
        Self { fresh: cache(life), last: cache(stale), forgotten: Arc::default() }
    }

    /// The value that is kept, else the one that `load` gives, to all who wait for it.
    pub(super) async fn get<F: Future<Output = Result<V>>>(&self, key: &K, load: impl Fn() -> F) -> Result<V> {
        if let Some(value) = self.fresh.get(key).await {
            return Ok(value);
        }
        // Boxed: a load holds the loads of the keys above it, and every turn would carry room for all of them.
        Box::pin(self.fresh.try_get_with_by_ref(key, self.load(key, &load))).await.map_err(|e| share(&e))
    }

    /// The value that is kept where it is `usable`, else the one that `make` gives. One makes at a time.
    pub(super) async fn make<F: Future<Output = Result<V>>>(&self, key: &K, usable: impl Fn(&V) -> bool, make: impl Fn() -> F) -> Result<V> {
        if let Some(value) = self.fresh.get(key).await.filter(&usable) {
            return Ok(value);
        }
        let made = self.fresh.entry_by_ref(key).and_try_compute_with(async |kept| match kept {
            Some(kept) if usable(kept.value()) => Ok(Op::Nop),
            _ => self.load(key, &make).await.map(Op::Put),
        });
        match Box::pin(made).await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => Ok(entry.into_value()),
            CompResult::Removed(_) | CompResult::StillNone(_) => Err(Error::internal("a key that was made is not there")),
        }
    }

    /// Loads once more where something was forgotten meanwhile, and makes do with the last value where the source is away.
    async fn load<F: Future<Output = Result<V>>>(&self, key: &K, load: &impl Fn() -> F) -> Result<V> {
        let mut loaded = Err(Error::internal("nothing was loaded"));
        for _ in 0..AGAIN {
            let before = self.forgotten.load(Ordering::Acquire);
            loaded = load().await;
            if before == self.forgotten.load(Ordering::Acquire) {
                break;
            }
        }
        match loaded {
            Ok(value) => {
                self.last.insert(key.clone(), value.clone()).await;
                Ok(value)
            }
            Err(e) if is_away(&e) => self.last.get(key).await.ok_or(e).inspect(|_| tracing::warn!("a key past its time serves while its source is away")),
            Err(e) => {
                self.last.invalidate(key).await;
                Err(e)
            }
        }
    }

    /// Keeps a value that was come by otherwise.
    pub(super) async fn put(&self, key: K, value: V) {
        self.last.insert(key.clone(), value.clone()).await;
        self.fresh.insert(key, value).await;
    }

    /// What was loaded last, fresh or not.
    pub(super) async fn last(&self, key: &K) -> Option<V> {
        self.last.get(key).await
    }

    /// The value as its source has it now; nothing stands in where that is away.
    pub(super) async fn renew<F: Future<Output = Result<V>>>(&self, key: &K, load: impl Fn() -> F) -> Result<V> {
        self.fresh.invalidate(key).await;
        let value = Box::pin(self.fresh.try_get_with_by_ref(key, load())).await.map_err(|e| share(&e))?;
        self.last.insert(key.clone(), value.clone()).await;
        Ok(value)
    }

    /// Forgets a value.
    pub(super) async fn forget(&self, key: &K) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.fresh.invalidate(key).await;
        self.last.invalidate(key).await;
    }

    /// Forgets every value whose key fits.
    pub(super) fn forget_all(&self, fits: impl Fn(&K) -> bool + Send + Sync + 'static) -> Result<()> {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        let fits = Arc::new(fits);
        for cache in [&self.fresh, &self.last] {
            let fits = Arc::clone(&fits);
            cache.invalidate_entries_if(move |key, _| fits(key)).map_err(Error::internal)?;
        }
        Ok(())
    }
}

/// True where the source did not serve, as opposed to having answered.
pub(super) fn is_away(e: &Error) -> bool {
    matches!(e.kind, Kind::Unavailable | Kind::Deadline | Kind::Throttled | Kind::Denied)
}

/// The same error for one of several who waited for it.
fn share(e: &Arc<Error>) -> Error {
    let copy = Error { kind: e.kind, detail: e.detail.clone(), field: e.field.clone(), retry_after: e.retry_after, source: None };
    let chain = e.chain();
    match chain.strip_prefix(e.detail.as_str()).and_then(|reasons| reasons.strip_prefix(": ")) {
        Some(reasons) => copy.because(reasons),
        None => copy,
    }
}
