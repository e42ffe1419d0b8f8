//! The primary's end of the stream that a replica opens: frames in, checked for their form, and frames out.
//!
//! What a replica says goes to the thread that owns the member ([`crate::replication`]), one event at a time: while that does
//! not take them, nothing more is read from the stream. What it is sent comes from there. When either side ends, so does the
//! other.

use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::replication::message::Session;
use nuthatch_cluster::topology::Grant;
use nuthatch_proto::rpc::replica_frame::Frame;
use nuthatch_proto::rpc::{PrimaryFrame, ReplicaFrame};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::driver::shared::Shared;
use crate::replication::serve::FRAMES_MAX;
use crate::replication::{Event, wire};

/// How long a greeting may take to come.
const GREETING_DEADLINE: Duration = Duration::from_secs(2);

/// Takes the greeting, and lets the conversation begin.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    mut frames: Streaming<ReplicaFrame>,
) -> Result<ReceiverStream<Result<PrimaryFrame, Status>>, Status> {
    let unsound = |error: wire::Unsound| Status::invalid_argument(error.to_string());
    let first = timeout(GREETING_DEADLINE, frames.next()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no greeting came"))?;
    let Some(ReplicaFrame { frame: Some(Frame::Hello(hello)) }) = first.transpose()? else {
        return Err(Status::invalid_argument("a conversation begins with a greeting"));
    };
    let (group, shard, hello) = wire::hello(hello).map_err(unsound)?;
    let (member, session) = (hello.member, hello.session);
    let (out, mut ready) = mpsc::channel(FRAMES_MAX);
    shared.replication.tell(Event::Greeted { group, shard, hello, out }).await;
    let (sender, stream) = mpsc::channel(1);
    let said = Arc::clone(shared);
    tokio::spawn(async move {
        let reading = read(&said, member, session, frames);
        let writing = async {
            while let Some(frame) = ready.recv().await {
                if sender.send(Ok(frame)).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
        said.replication.tell(Event::Left(member, session)).await;
    });
    Ok(ReceiverStream::new(stream))
}

/// Passes on what the replica says, until it ends or says what none can.
async fn read(shared: &Shared, member: Grant, session: Session, mut frames: Streaming<ReplicaFrame>) {
    while let Some(Ok(frame)) = frames.next().await {
        let event = match frame.frame {
            Some(Frame::Ack(ack)) => match wire::ack(ack) {
                Ok(ack) if (ack.member, ack.session) == (member, session) => Event::Acked(ack),
                Ok(_) | Err(_) => return,
            },
            Some(Frame::Slots(request)) => match wire::slots(&request) {
                Ok(slots) => Event::Wanted(member, session, slots),
                Err(_) => return,
            },
            Some(Frame::Hello(_)) | None => return,
        };
        shared.replication.tell(event).await;
    }
}
