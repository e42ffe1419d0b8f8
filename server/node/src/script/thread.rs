//! The thread that scripts run on.
//!
//! A script may take long, and while it does the threads of connections must not be deaf: they have to hear that it is to
//! be ended. So a connection hands its script over and waits for the reply as for any other that comes later, and the
//! script runs on a thread that has no connections. One is enough, for all others stand still for a script anyway. Only
//! the scripts of a transaction run where the transaction does.
//!
//! The queue holds no more than one script for each connection.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Decoder};
use tokio::sync::oneshot;

use crate::admin::{Deferral, Flow};
use crate::allocator;
use crate::clock;
use crate::dispatch::{Batch, Turn};
use crate::feed::tap::Tap;
use crate::net::connection::Scratch;
use crate::net::io_thread::Thread;
use crate::net::session::{Borrowed, Session};
use crate::node::Node;

/// How long the end of a script is waited for when the node ends, and how often is looked.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A script that a connection hands over.
pub(crate) struct Job {
    args: OwnedArgs,
    /// What it may know of the connection's state.
    session: Borrowed,
    done: oneshot::Sender<Done>,
}

/// What became of a script.
struct Done {
    reply: Vec<u8>,
    flow: Flow,
}

/// Starts the thread. It ends when nobody can hand scripts over any more.
pub(crate) fn start(node: Arc<Node>) -> io::Result<(Sender<Job>, JoinHandle<()>)> {
    let (queue, jobs) = mpsc::channel();
    let seed = clock::seed()?;
    let thread = thread::Builder::new().name("scripts".to_owned()).spawn(move || {
        let counters = node.telemetry.thread();
        let scratch = RefCell::new(Scratch::new(seed, &node));
        let seat = node.engine.seat();
        let tap = Tap::new(Arc::clone(&counters), Arc::clone(&node.feed));
        serve(&jobs, &Thread { node, counters, tap, seat, scratch, vm: OnceCell::new(), scripts: None });
    })?;
    Ok((queue, thread))
}

fn serve(jobs: &Receiver<Job>, thread: &Thread) {
    while let Ok(Job { args, session, done }) = jobs.recv() {
        // A client that is gone wants nothing any more.
        if done.is_closed() {
            continue;
        }
        let mut session = Session::lent(session);
        let (mut decoder, mut reply) = (Decoder::default(), Vec::new());
        let mut scratch = thread.scratch.borrow_mut();
        let turn =
            Batch::new(thread, &mut session, &mut decoder, &mut scratch.engine).run_again(&args, &mut reply);
        thread.counters.publish(&scratch.engine.stats);
        let flow = match turn {
            Turn::Done { .. } | Turn::Flush | Turn::Block(_) => Flow::Done,
            // It is not its turn yet: its connection has it wait.
            Turn::Wait(_) => Flow::Defer(Deferral::Paused),
            Turn::Close => Flow::Close,
        };
        // Who is gone is not told.
        let _ = done.send(Done { reply, flow });
        drop(scratch);
        tidy(thread);
    }
}

/// Gives the kernel back what a script took, if that was much, while nobody waits for it.
fn tidy(thread: &Thread) {
    if let Some(vm) = thread.vm.get()
        && vm.tidy()
    {
        allocator::give_back();
        thread.node.scripts.set_interpreter(vm.memory());
    }
}

/// Waits for the thread to end, when all queues are closed and its script was told to end. `None` if it does not: the script
/// is within one call of Lua's own, which nothing interrupts, and the thread ends with the process.
pub(crate) fn ended(thread: JoinHandle<()>) -> Option<JoinHandle<()>> {
    let patience = Instant::now() + PATIENCE;
    while !thread.is_finished() {
        if Instant::now() >= patience {
            tracing::warn!("A script does not end, and is left behind.");
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
    Some(thread)
}

/// Hands a script over and waits for its reply.
pub(crate) async fn wait(
    thread: &Thread,
    session: &mut Session,
    args: Args<'_>,
    replies: &mut Vec<u8>,
) -> Flow {
    let Some(queue) = &thread.scripts else { return Flow::Done };
    let (done, outcome) = oneshot::channel();
    let job = Job { args: args.iter().collect(), session: session.lend(), done };
    session.asking = false;
    if queue.send(job).is_err() {
        return Flow::Close;
    }
    match outcome.await {
        Ok(Done { reply, flow }) => {
            replies.extend_from_slice(&reply);
            flow
        }
        Err(_gone) => Flow::Close,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_does_not_end_is_left_behind() {
        let (go, wait) = mpsc::channel::<()>();
        let stuck = thread::spawn(move || {
            let _ = wait.recv();
        });
        assert!(ended(stuck).is_none());
        drop(go);
        assert!(ended(thread::spawn(|| {})).is_some_and(|thread| thread.join().is_ok()));
    }
}
