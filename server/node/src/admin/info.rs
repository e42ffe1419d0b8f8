//! INFO.

use nuthatch_proto::resp::ReplyWriter;

use super::Call;

pub(super) fn info(_call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    reply.verbatim("txt", b"redis_version:7.2.4\r\n");
}
