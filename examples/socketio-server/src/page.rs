//! The page to chat in, and the client library that it uses.

use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use crate::engineio::Reply;

const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/chat.js", "text/javascript; charset=utf-8", include_str!("../page/chat.js")),
    ("/chat.css", "text/css; charset=utf-8", include_str!("../page/chat.css")),
    (
        "/socket.io/socket.io.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/vendor/socket.io.min.js"),
    ),
];

/// Returns the file of this path, if there is one.
pub(crate) fn file(path: &str) -> Option<Reply> {
    let (_, content_type, content) = FILES.iter().find(|(known, ..)| *known == path)?;
    let mut reply = Reply::new(Full::from(*content));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(reply)
}

/// Answers that there is no such file.
pub(crate) fn not_found() -> Reply {
    let mut reply = Reply::new(Full::from("not found\n"));
    *reply.status_mut() = StatusCode::NOT_FOUND;
    reply
}
