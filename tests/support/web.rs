//! A web server whose pages a test changes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::Host;

/// Paths and what a web server answers to them.
pub(crate) type Pages = Arc<Mutex<Vec<(&'static str, String)>>>;

/// A web server on port 8080 of a host; what it does not have is 404, `/loop` leads to itself.
pub(crate) fn web(host: &Host) -> Pages {
    let pages = Pages::default();
    let listener = host.run(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let own = Arc::clone(&pages);
    host.spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let page = own.lock().unwrap().iter().find(|(known, _)| *known == path).cloned();
            let _ = match page {
                Some((_, body)) => write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                ),
                None if path == "/loop" => {
                    write!(stream, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                }
                None => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            };
        }
    });
    pages
}

/// Puts a page in place of the one of this path.
pub(crate) fn publish(pages: &Pages, path: &'static str, body: &str) {
    let mut pages = pages.lock().unwrap();
    pages.retain(|(known, _)| *known != path);
    pages.push((path, body.to_owned()));
}
