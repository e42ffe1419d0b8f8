//! What a connection has agreed with the server: owned by its task, changed by its commands.
//!
//! Nobody else touches it, so nothing here is synchronised; what others may see of a connection is in `clients`. Everything
//! in it can be brought back to the beginning by RESET.

use std::mem;
use std::sync::Arc;

use nuthatch_engine::{Engine, Watching};
use nuthatch_proto::resp::{Protocol, ReplyWriter};

use super::blocked::Blocked;
use super::clients::{Client, NO_COMMAND, TransactionState};
use crate::dispatch::transaction::Queue;

/// Whether commands are replied to (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replies {
    /// They are.
    On,
    /// They are not.
    Off,
    /// Neither the command that said so nor the next one is.
    SkipTwo,
    /// The next one is not.
    SkipOne,
}

/// What a replica has said of itself before it follows (`REPLCONF`).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Introduction {
    /// Where it listens.
    pub(crate) port: u16,
    /// It wants the snapshot and nothing after it.
    pub(crate) rdb_only: bool,
}

/// One connection's state.
#[derive(Debug)]
pub(crate) struct Session {
    /// What others see of the connection.
    pub(crate) client: Arc<Client>,
    /// The protocol of replies.
    protocol: Protocol,
    /// The database selected.
    pub(crate) db: usize,
    /// Whether commands are allowed: the password was given, or there is none.
    authenticated: bool,
    /// `READONLY` was said.
    pub(crate) readonly: bool,
    /// `ASKING` was said just before.
    pub(crate) asking: bool,
    /// The place of the last command among the counters.
    pub(crate) last_command: u16,
    /// The commands that wait for EXEC, after MULTI.
    pub(crate) queue: Option<Box<Queue>>,
    /// EXEC runs the commands, and what is written is a part of its reply.
    pub(crate) executing: bool,
    /// Whether commands are replied to (`CLIENT REPLY`).
    pub(crate) replies: Replies,
    /// The command that runs has left out itself what is not to be sent of its reply: EXEC, of which each command may change
    /// whether there are replies.
    pub(crate) decides_in_parts: bool,
    /// Whether keys are used without a trace (`CLIENT NO-TOUCH`).
    pub(crate) no_touch: bool,
    /// What it has said of itself as a replica.
    pub(crate) introduction: Introduction,
    /// The keys that are watched.
    pub(crate) watching: Option<Box<Watching>>,
    /// The wait that the last command has begun.
    pub(crate) blocked: Option<Box<Blocked>>,
}

/// What a command that runs elsewhere has of a connection's state.
#[derive(Debug)]
pub(crate) struct Borrowed {
    client: Arc<Client>,
    protocol: Protocol,
    db: usize,
    readonly: bool,
    asking: bool,
    no_touch: bool,
}

impl Session {
    /// What a command that runs elsewhere needs of it.
    pub(crate) fn lend(&self) -> Borrowed {
        let Self { protocol, db, readonly, asking, no_touch, .. } = *self;
        Borrowed { client: Arc::clone(&self.client), protocol, db, readonly, asking, no_touch }
    }

    /// The state for a command that runs elsewhere: the connection has seen to it that it may.
    pub(crate) fn lent(Borrowed { client, protocol, db, readonly, asking, no_touch }: Borrowed) -> Self {
        Self { protocol, db, readonly, asking, no_touch, ..Self::new(client, true) }
    }

    /// A new connection's state; authenticated if there is no password.
    pub(crate) fn new(client: Arc<Client>, authenticated: bool) -> Self {
        client.set_authenticated(authenticated);
        Self {
            client,
            protocol: Protocol::Resp2,
            db: 0,
            authenticated,
            readonly: false,
            asking: false,
            last_command: NO_COMMAND,
            queue: None,
            executing: false,
            replies: Replies::On,
            decides_in_parts: false,
            no_touch: false,
            introduction: Introduction::default(),
            watching: None,
            blocked: None,
        }
    }

    /// Writes what was pushed until now, before the reply of the command that runs. Within EXEC's reply is no place for it.
    pub(crate) fn write_pushes(&self, reply: &mut ReplyWriter<'_>) {
        if self.client.is_pushed() && !self.executing && self.replies == Replies::On {
            let mut pushed = Vec::new();
            self.client.take_all_pushes(&mut pushed);
            reply.raw(&pushed);
        }
    }

    /// Takes back the reply that begins there, if the client does not want it.
    #[cold]
    pub(crate) fn silence(&mut self, replies: &mut Vec<u8>, begin: usize) {
        let is_settled = mem::take(&mut self.decides_in_parts);
        self.replies = match self.replies {
            Replies::On => return,
            Replies::Off => Replies::Off,
            Replies::SkipTwo => Replies::SkipOne,
            Replies::SkipOne => Replies::On,
        };
        if !is_settled {
            replies.truncate(begin);
        }
    }

    /// The protocol of replies.
    #[inline]
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Switches the protocol of replies.
    pub(crate) fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.client.set_protocol(protocol);
    }

    /// Whether commands are allowed.
    #[inline]
    pub(crate) fn authenticated(&self) -> bool {
        self.authenticated
    }

    /// Allows commands, or forbids them.
    pub(crate) fn set_authenticated(&mut self, yes: bool) {
        self.authenticated = yes;
        self.client.set_authenticated(yes);
    }

    /// Allows a replica to answer the client's reads, or forbids it.
    pub(crate) fn set_readonly(&mut self, on: bool) {
        self.readonly = on;
        self.client.set_readonly(on);
    }

    /// Forgets the commands that wait for EXEC, and watches no key any longer.
    pub(crate) fn end_transaction(&mut self, engine: &Engine) {
        self.queue = None;
        self.unwatch(engine);
        self.show_transaction();
    }

    /// The connection is at its end: nobody is to give it anything any more, or to tell it of changes.
    pub(crate) fn end(&mut self, engine: &Engine) {
        self.end_transaction(engine);
        if let Some(blocked) = self.blocked.take() {
            self.client.set_blocked(None);
            engine.leave(blocked.wait);
        }
    }

    /// Watches no key any longer.
    pub(crate) fn unwatch(&mut self, engine: &Engine) {
        if let Some(watching) = self.watching.take() {
            engine.unwatch(*watching);
        }
    }

    /// How many bytes the commands that wait for EXEC hold.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes())
    }

    /// Lets others see how far the transaction is.
    pub(crate) fn show_transaction(&self) {
        self.client.set_transaction(TransactionState {
            queued: self.queue.as_ref().map(|queue| queue.len()),
            bytes: self.queued_bytes(),
            watched: self.watching.as_ref().map_or(0, |watching| watching.len()),
            touched: self.watching.as_ref().map(|watching| watching.flag()),
        });
    }

    /// Goes back to how a new connection is (`RESET`).
    pub(crate) fn reset(&mut self, authenticated: bool, engine: &Engine) {
        self.end_transaction(engine);
        self.set_protocol(Protocol::Resp2);
        self.set_authenticated(authenticated);
        self.client.unlabel();
        self.client.set_no_evict(false);
        self.db = 0;
        self.set_readonly(false);
        self.replies = Replies::On;
        self.no_touch = false;
        self.asking = false;
    }
}
