//! A thread that frees what others have no time to free.
//!
//! Freeing the keys of a large slot takes long, and the metadata thread must answer its group in the meantime. So it takes
//! the keys out of the slot, which is done at once, and hands what they were to this thread, which only drops it.
//!
//! Invariants: the queue is bounded; when it is full, who brings something frees it on the spot. The thread ends when its
//! owner does, and everything that was handed over is freed before.
//!
//! Neighbour: `gates` hands over the keys of slots that are another node's.

use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::Builder;

/// How much may wait to be freed: the slots of a node of a small cluster.
const QUEUE_MAX: usize = 8192;

/// See the module.
#[derive(Debug)]
pub(crate) struct Reclaimer<T> {
    queue: SyncSender<T>,
}

impl<T: Send + 'static> Reclaimer<T> {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        Self::with_room_for(QUEUE_MAX)
    }

    fn with_room_for(count: usize) -> io::Result<Self> {
        let (queue, garbage) = sync_channel(count);
        Builder::new().name("nuthatch-free".to_owned()).spawn(move || garbage.into_iter().for_each(drop))?;
        Ok(Self { queue })
    }

    /// Has it freed, without waiting unless too much waits already.
    pub(crate) fn free(&self, garbage: T) {
        match self.queue.try_send(garbage) {
            Ok(()) => {}
            Err(TrySendError::Full(garbage) | TrySendError::Disconnected(garbage)) => drop(garbage),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::*;

    /// Tells on which thread it is dropped, and waits there if it has something to wait for.
    struct Telling(u8, Sender<(u8, bool)>, Option<Receiver<()>>);

    impl Drop for Telling {
        fn drop(&mut self) {
            let here = thread::current().name() == Some("nuthatch-free");
            self.1.send((self.0, here)).expect("the test listens");
            if let Some(wait) = self.2.take() {
                let _ = wait.recv();
            }
        }
    }

    #[test]
    fn it_is_freed_elsewhere_and_here_only_if_too_much_waits() {
        let reclaimer = Reclaimer::with_room_for(1).expect("a thread");
        let (tell, told) = channel();
        let (go, wait) = channel();
        reclaimer.free(Telling(1, tell.clone(), Some(wait)));
        assert_eq!(told.recv(), Ok((1, true)), "the thread is busy with it now");
        reclaimer.free(Telling(2, tell.clone(), None));
        reclaimer.free(Telling(3, tell, None));
        assert_eq!(told.recv(), Ok((3, false)), "there was room for one");
        go.send(()).expect("it waits");
        assert_eq!(told.recv(), Ok((2, true)));
        drop(reclaimer);
        assert!(told.recv().is_err(), "nothing is left");
    }
}
