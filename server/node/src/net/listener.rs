//! Accepts connections and hands each to the least-loaded IO thread.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

use super::io_thread::IoThread;

/// How long to wait when the system has no descriptor left for another connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Accepts for ever.
pub(crate) async fn accept(listener: TcpListener, threads: &[IoThread]) {
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                if let (Ok(stream), Some(thread)) = (prepare(stream), threads.iter().min_by_key(|t| t.load()))
                {
                    thread.adopt(stream);
                }
            }
            Err(_) => tokio::time::sleep(BACK_OFF).await,
        }
    }
}

fn prepare(stream: tokio::net::TcpStream) -> io::Result<std::net::TcpStream> {
    stream.set_nodelay(true)?;
    stream.into_std()
}
