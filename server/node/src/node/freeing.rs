//! The thread that frees what is gone.
//!
//! A value of a million elements is thousands of allocations, and the kernel takes back a string of hundreds of megabytes
//! in one call that lasts tens of milliseconds. The threads that serve clients do neither: between their commands they see
//! that something waits ([`Engine::lazyfree`]) and wake this one. It frees in pieces, because whoever deletes meanwhile
//! needs the same queue for a moment, and then has the allocator give the memory back to the kernel here, and not on the
//! thread that happens to ask for memory next.
//!
//! The thread lives as long as its handle, and ends after the piece at hand.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder, Thread};

use nuthatch_engine::Engine;

use crate::allocator;

/// How many allocations it frees at once.
const PIECE: usize = 512;

/// From how many allocations on the kernel gets the memory at once; below, the allocator may keep it for the next.
const GIVE_BACK_FROM: usize = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Freeing {
    thread: Thread,
    ended: Arc<AtomicBool>,
}

impl Freeing {
    /// Starts the thread.
    pub(super) fn start(engine: Arc<Engine>) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let handle = Builder::new().name("nuthatch-free".to_owned()).spawn(move || {
            while !seen.load(Ordering::Acquire) {
                let freed = free(&engine, &seen);
                if freed >= GIVE_BACK_FROM {
                    allocator::give_back();
                }
                thread::park();
            }
        })?;
        Ok(Self { thread: handle.thread().clone(), ended })
    }

    /// Has it look what there is to free.
    pub(crate) fn wake(&self) {
        self.thread.unpark();
    }
}

/// Frees until nothing waits or the end has come; how many allocations that were.
fn free(engine: &Engine, ended: &AtomicBool) -> usize {
    let mut freed = 0;
    while !ended.load(Ordering::Acquire) {
        match engine.reclaim(PIECE) {
            0 => break,
            piece => freed += piece,
        }
    }
    freed
}

impl Drop for Freeing {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        self.wake();
    }
}
