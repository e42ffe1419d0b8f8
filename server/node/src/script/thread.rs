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

use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Decoder};
use tokio::sync::oneshot;

use crate::admin::{Deferral, Flow};
use crate::clock;
use crate::dispatch::{Batch, Turn};
use crate::feed::tap::Tap;
use crate::net::connection::Scratch;
use crate::net::io_thread::Thread;
use crate::net::session::{Borrowed, Session};
use crate::node::Node;

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
    }
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
