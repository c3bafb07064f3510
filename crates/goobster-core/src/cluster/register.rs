//! What hosts remember together: small texts by key, and what changed since a host last looked.

use std::fmt::Debug;

use crate::limits::LimitsError;
use crate::ports::PortFuture;

/// A number that rises with every change of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Edition(u64);

impl Edition {
    /// Wraps the number; zero is before the first change.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Over what an entry may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over<'a> {
    /// Whatever is there.
    Anything,
    /// Nothing: an entry that is there stays.
    Nothing,
    /// This text alone: what another host wrote meanwhile stays.
    Text(&'a str),
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Up to which edition this tells.
    pub upto: Edition,
    /// Whether these are all entries there are: it is not known any more what changed since the edition that was asked for.
    pub whole: bool,
    /// Changed keys with their texts now; `None` for what was struck out. Of a key that is there twice the last counts.
    pub entries: Vec<(String, Option<String>)>,
}

/// A register that hosts share. Every operation takes a bounded time, and may be repeated.
pub trait Register: Debug + Send + Sync {
    /// Writes an entry, or strikes it out; whether it was written. Whoever asks [`Register::since`] afterwards sees it.
    ///
    /// # Errors
    /// The store's.
    fn put<'a>(
        &'a self,
        key: &'a str,
        text: Option<&'a str>,
        over: Over<'a>,
    ) -> PortFuture<'a, Result<bool, LimitsError>>;

    /// What changed since an edition.
    ///
    /// # Errors
    /// The store's.
    fn since(&self, edition: Edition) -> PortFuture<'_, Result<Changes, LimitsError>>;
}
