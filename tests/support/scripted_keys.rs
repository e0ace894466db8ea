//! A key store that answers as a vector tells it to.

use std::sync::Mutex;

use menshen::{Alias, KeyError, KeyProvider, KeyState, MemoryKeys};

pub(crate) struct ScriptedKeys {
    keys: MemoryKeys,
    /// What calls answer instead of doing their work.
    answer: Mutex<Option<KeyError>>,
}

impl ScriptedKeys {
    pub(crate) fn new() -> Self {
        Self { keys: MemoryKeys::new(), answer: Mutex::new(None) }
    }

    /// What calls answer from now on.
    pub(crate) fn answer(&self, name: &str) -> Result<(), String> {
        *self.answer.lock().unwrap() = match name {
            "works" => None,
            "not-yet" => Some(KeyError::NotYet),
            "throws" => Some(KeyError::Suspect),
            "already-exists" => Some(KeyError::AlreadyExists),
            other => return Err(format!("a key store does not answer `{other}`")),
        };
        Ok(())
    }

    fn working(&self) -> Result<(), KeyError> {
        match *self.answer.lock().unwrap() {
            // Only making a key can meet one that is there.
            None | Some(KeyError::AlreadyExists) => Ok(()),
            Some(error) => Err(error),
        }
    }
}

impl KeyProvider for ScriptedKeys {
    fn create(&self, alias: &Alias) -> Result<(), KeyError> {
        if let Some(error) = *self.answer.lock().unwrap() {
            return Err(error);
        }
        self.keys.create(alias)
    }

    fn wrap(&self, alias: &Alias, secret: &[u8], aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.working().and_then(|()| self.keys.wrap(alias, secret, aad))
    }

    fn unwrap(&self, alias: &Alias, blob: &[u8], aad: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        self.working().and_then(|()| self.keys.unwrap(alias, blob, aad))
    }

    fn exists(&self, alias: &Alias) -> Result<bool, KeyError> {
        self.working().and_then(|()| self.keys.exists(alias))
    }

    fn list(&self) -> Result<Vec<Alias>, KeyError> {
        self.working().and_then(|()| self.keys.list())
    }

    fn destroy(&self, alias: &Alias) -> Result<(), KeyError> {
        self.working().and_then(|()| self.keys.destroy(alias))
    }

    fn state(&self) -> KeyState {
        match self.working() {
            Ok(()) => KeyState::Ready,
            Err(KeyError::NotYet) => KeyState::NotYet,
            Err(_) => KeyState::Suspect,
        }
    }
}
