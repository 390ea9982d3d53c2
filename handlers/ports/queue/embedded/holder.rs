//! Who holds locks on the embedded queue, and whose process is gone.
//!
//! Each opener of the queue that takes messages has a file beside the queue's own that it keeps locked: the system gives such a
//! lock back when the process ends, however it ends. The name of the file begins every lock token of that opener. In: the
//! path of the queue's file. Out: a holder of one's own, and the names of those that nobody keeps any more. Where files cannot
//! be locked nobody is told to be gone, and the locks of messages run out as they always do.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::ports::embedded::create_private;

/// Characters of a name: the node part of a random id.
pub(super) const NAME: usize = 12;
/// Names that are tried: a name is taken twice by chance only.
const TRIES: usize = 8;
/// What the file of a holder begins with until it is locked.
const UNREADY: &str = "new-";

/// A file that is kept locked as long as this lives.
#[derive(Debug)]
pub(super) struct Holder {
    name: String,
    _file: File,
}

/// A holder that is gone. Its file stays locked by us, so that nobody else takes care of it, until this is dropped.
#[derive(Debug)]
pub(super) struct Gone {
    pub name: String,
    path: PathBuf,
    _file: File,
}

/// Where the holders of the queue in this file are.
fn folder(queue: &Path) -> PathBuf {
    let mut name = queue.as_os_str().to_owned();
    name.push(".holders");
    name.into()
}

impl Holder {
    /// A holder of the queue in this file; `new_id` makes ids of 32 hexadecimal characters.
    pub fn new(queue: &Path, new_id: impl Fn() -> String) -> io::Result<Self> {
        let folder = folder(queue);
        create_private(&folder)?;
        for _ in 0..TRIES {
            let id = new_id();
            let name = &id[id.len() - NAME..];
            let (unready, ready) = (folder.join(format!("{UNREADY}{id}")), folder.join(name));
            // It gets its name only once it is locked: nobody ever finds it as one that nobody keeps.
            let file = File::create_new(&unready)?;
            let linked = file.try_lock().map_err(io::Error::from).and_then(|()| std::fs::hard_link(&unready, &ready));
            std::fs::remove_file(&unready)?;
            match linked {
                Ok(()) => return Ok(Self { name: name.to_owned(), _file: file }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    /// A lock token of this holder's from a fresh id of 32 characters.
    pub fn token(&self, id: &str) -> String {
        format!("{}{}", self.name, id.get(NAME..).unwrap_or_default())
    }
}

/// Those whose process has ended, or who were dropped in this one.
pub(super) fn gone(queue: &Path) -> io::Result<Vec<Gone>> {
    let entries = match std::fs::read_dir(folder(queue)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut gone = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.len() == NAME && !name.starts_with(UNREADY)) else { continue };
        let name = name.to_owned();
        match File::open(&path).map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => gone.push(Gone { name, path, _file: file }),
            // It is alive.
            Ok((Err(TryLockError::WouldBlock), _)) => {}
            // Somebody else has just taken care of it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Ok((Err(TryLockError::Error(e)), _)) | Err(e) => return Err(e),
        }
    }
    Ok(gone)
}

impl Gone {
    /// Its locks are given back: nothing needs to be known of it any more.
    pub fn forget(self) {
        if let Err(e) = std::fs::remove_file(&self.path) {
            tracing::debug!(error = %e, "what is left of a holder of the embedded queue could not be removed");
        }
    }
}
