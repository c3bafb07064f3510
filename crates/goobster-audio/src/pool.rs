//! Utterance buffers, reused: no allocation once warm, and a bound on what all speakers together can hold.
//!
//! A buffer is taken when someone starts to speak and comes back when its last holder drops it, on every path.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// A bounded set of sample buffers of one size, shared by all listeners of a process. Cloning shares it.
#[derive(Clone)]
pub struct AudioPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    limit: usize,
    capacity: usize,
}

struct State {
    free: Vec<Vec<f32>>,
    /// Buffers in existence: free ones and those in use.
    made: usize,
}

impl AudioPool {
    /// At most `limit` buffers of `capacity` samples each; memory is only claimed when a buffer is first taken.
    pub fn new(limit: usize, capacity: usize) -> Self {
        let state = State {
            free: Vec::with_capacity(limit),
            made: 0,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                limit,
                capacity,
            }),
        }
    }

    /// An empty buffer, or `None` when all are in use.
    pub fn take(&self) -> Option<PooledAudio> {
        let mut state = self.shared.lock();
        let samples = match state.free.pop() {
            Some(samples) => samples,
            None if state.made < self.shared.limit => {
                state.made += 1;
                // Made outside the lock: the system may take its time over a large block.
                drop(state);
                Vec::with_capacity(self.shared.capacity)
            }
            None => return None,
        };
        Some(PooledAudio {
            samples,
            home: Arc::clone(&self.shared),
        })
    }

    /// Samples that one buffer holds.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Buffers that could be taken now.
    pub fn available(&self) -> usize {
        let state = self.shared.lock();
        self.shared.limit - state.made + state.free.len()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing inside the lock can leave it half done, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AudioPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioPool")
            .field("limit", &self.shared.limit)
            .field("capacity", &self.shared.capacity)
            .field("available", &self.available())
            .finish()
    }
}

/// A buffer of 16 kHz mono samples that goes back to its pool when dropped. Reads as a slice.
pub struct PooledAudio {
    samples: Vec<f32>,
    home: Arc<Shared>,
}

impl PooledAudio {
    /// Appends as much of `samples` as fits, and says how many did: a buffer never grows.
    pub fn append(&mut self, samples: &[f32]) -> usize {
        let fits = samples.len().min(self.home.capacity - self.samples.len());
        self.samples.extend_from_slice(&samples[..fits]);
        fits
    }

    /// Keeps the first `len` samples; no effect when there are fewer.
    pub fn truncate(&mut self, len: usize) {
        self.samples.truncate(len);
    }

    /// A copy that outlives the pool, as recognisers take it.
    pub fn to_shared(&self) -> Arc<[f32]> {
        Arc::from(self.samples.as_slice())
    }
}

impl Deref for PooledAudio {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.samples
    }
}

impl fmt::Debug for PooledAudio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PooledAudio({} samples)", self.samples.len())
    }
}

impl Drop for PooledAudio {
    fn drop(&mut self) {
        let mut samples = std::mem::take(&mut self.samples);
        samples.clear();
        // `free` was made with room for every buffer, so this never allocates.
        self.home.lock().free.push(samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_comes_back_empty_with_its_memory() {
        let pool = AudioPool::new(1, 100);
        let mut buffer = pool.take().unwrap();
        assert_eq!(buffer.append(&[0.5; 80]), 80);
        let address = buffer.as_ptr();
        assert!(pool.take().is_none(), "the only buffer is in use");
        drop(buffer);
        let again = pool.take().unwrap();
        assert!(again.is_empty());
        assert_eq!(again.samples.as_ptr(), address);
    }

    #[test]
    fn a_buffer_never_grows() {
        let pool = AudioPool::new(1, 100);
        let mut buffer = pool.take().unwrap();
        assert_eq!(buffer.append(&[0.5; 80]), 80);
        assert_eq!(buffer.append(&[0.5; 80]), 20);
        assert_eq!(buffer.append(&[0.5; 80]), 0);
        assert_eq!(buffer.len(), 100);
    }

    #[test]
    fn buffers_come_back_from_a_thread_that_panics() {
        let pool = AudioPool::new(2, 10);
        let taken = pool.take().unwrap();
        let outcome = std::thread::spawn(move || {
            let _held = taken;
            panic!("a consumer fails");
        })
        .join();
        assert!(outcome.is_err());
        assert_eq!(pool.available(), 2);
    }
}
