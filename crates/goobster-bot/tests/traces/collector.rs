//! A collector: takes what is posted, and says that all is well.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request.
pub(crate) struct Post {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Collector {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    posts: Arc<Mutex<Vec<Post>>>,
    thread: JoinHandle<()>,
}

impl Collector {
    pub(crate) fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (over, posts) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let thread = {
            let (over, posts) = (Arc::clone(&over), Arc::clone(&posts));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let (stream, posts) = (stream.unwrap(), Arc::clone(&posts));
                    std::thread::spawn(move || serve(stream, &posts));
                }
            })
        };
        Self {
            address,
            over,
            posts,
            thread,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that was posted.
    pub(crate) fn end(self) -> Vec<Post> {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
        self.thread.join().unwrap();
        std::mem::take(&mut self.posts.lock().unwrap())
    }
}

/// Serves a connection until it is closed.
fn serve(mut stream: TcpStream, posts: &Mutex<Vec<Post>>) {
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut bytes = Vec::new();
    let mut more = [0; 8192];
    loop {
        let whole = whole(&bytes);
        if let Some((head, body)) = whole {
            let post = Post {
                head: String::from_utf8(bytes[..head].to_vec()).unwrap(),
                body: bytes[head..body].to_vec(),
            };
            bytes.drain(..body);
            posts.lock().unwrap().push(post);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            continue;
        }
        match stream.read(&mut more) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&more[..read]),
            _ => return,
        }
    }
}

/// Where the head and the body of the first request end, when it is there as a whole.
fn whole(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap().to_ascii_lowercase();
    let length = text
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= head + length).then_some((head, head + length))
}
