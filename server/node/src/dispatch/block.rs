//! Commands that may have to wait for an element.
//!
//! They run as any command on keys does. If there is nothing to take, the connection is blocked: the engine knows it as
//! one that waits, the registry of clients shows it as such, and what the client has sent behind the command waits too.
//! How the wait ends is the connection's business (`net/connection/blocked`).

use std::sync::Arc;

use nuthatch_proto::command_table::{CommandSpec, DataCommand};
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::{Batch, REROUTES_MAX};
use crate::admin::Flow;
use crate::clock;
use crate::net::blocked::{Blocked, Letterbox};

impl Batch<'_> {
    /// Runs a command that may have to wait.
    #[cold]
    pub(super) fn data_or_wait(
        &mut self,
        command: DataCommand,
        spec: &CommandSpec,
        slot: Slot,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        let began = clock::monotonic();
        for _ in 0..REROUTES_MAX {
            if let Err(redirect) = self.check_route(spec, args, slot) {
                reply.error(&redirect.to_string());
                return Flow::Done;
            }
            let letterbox = Arc::new(Letterbox::new(Arc::clone(&self.session.client)));
            let mut cx = self.engine.context(self.thread, self.now);
            let (engine, call) = (&self.thread.node.engine, (command, args, slot));
            let mailbox = letterbox.clone();
            match engine.execute_or_wait(&mut cx, self.session.db, call, mailbox, reply) {
                Ok(None) => return Flow::Done,
                Ok(Some(wait)) => {
                    self.session.client.set_blocked(Some(Arc::clone(wait.waiter())));
                    let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    self.session.blocked = Some(Box::new(Blocked { wait, letterbox, took }));
                    return Flow::Block;
                }
                Err(_refused) => self.look_again(),
            }
        }
        reply.error(&Redirect::TryAgain.to_string());
        Flow::Done
    }
}
