//! What a request asks for, and what is wrong with it.

use hyper::{Method, Request, StatusCode, header};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A new session, by polling.
    Open,
    /// What there is to send to this session.
    Poll { sid: String },
    /// To take in its body for this session.
    Post { sid: String },
    /// A WebSocket: for a new session, or to take this one over.
    WebSocket { sid: Option<String> },
    /// Whether a page from elsewhere may ask.
    Preflight,
}

/// What is wrong with a request. Numbered by Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRequest {
    Transport = 0,
    Session = 1,
    Method = 2,
    Other = 3,
    Version = 5,
}

impl BadRequest {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Transport => "Transport unknown",
            Self::Session => "Session ID unknown",
            Self::Method => "Bad handshake method",
            Self::Other => "Bad request",
            Self::Version => "Unsupported protocol version",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}

impl Ask {
    /// Reads a request's method and query.
    pub(super) fn of<B>(request: &Request<B>) -> Result<Self, BadRequest> {
        if request.method() == Method::OPTIONS {
            return Ok(Self::Preflight);
        }
        let query = query(request);
        let find =
            |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let sid = find("sid").map(str::to_owned);
        let is_websocket = match find("transport") {
            Some("websocket") => true,
            Some("polling") => false,
            _ => return Err(BadRequest::Transport),
        };
        if find("EIO") != Some("4") {
            return Err(BadRequest::Version);
        }
        match (request.method(), is_websocket, sid) {
            // A page that asks by script tags cannot be answered.
            _ if find("j").is_some() => Err(BadRequest::Other),
            (&Method::GET, true, sid) if wants_websocket(request) => Ok(Self::WebSocket { sid }),
            (&Method::GET, false, None) => Ok(Self::Open),
            (&Method::GET, false, Some(sid)) => Ok(Self::Poll { sid }),
            (&Method::POST, false, Some(sid)) => Ok(Self::Post { sid }),
            (&Method::GET, ..) | (_, _, Some(_)) => Err(BadRequest::Other),
            _ => Err(BadRequest::Method),
        }
    }
}

/// Returns the query of a request, decoded.
pub(super) fn query<B>(request: &Request<B>) -> Vec<(String, String)> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn wants_websocket<B>(request: &Request<B>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, query: &str) -> Result<Ask, BadRequest> {
        let request = Request::builder().method(method).uri(format!("/engine.io/?{query}"));
        Ask::of(&request.body(()).unwrap())
    }

    #[test]
    fn requests_are_told_apart() {
        let sid = || "a b".to_owned();
        for (method, query, expected) in [
            ("GET", "EIO=4&transport=polling", Ok(Ask::Open)),
            ("GET", "transport=polling&t=x&EIO=4", Ok(Ask::Open)),
            ("GET", "EIO=4&transport=polling&sid=a%20b", Ok(Ask::Poll { sid: sid() })),
            ("POST", "EIO=4&transport=polling&sid=a+b", Ok(Ask::Post { sid: sid() })),
            ("OPTIONS", "", Ok(Ask::Preflight)),
            ("GET", "", Err(BadRequest::Transport)),
            ("GET", "EIO=4", Err(BadRequest::Transport)),
            ("GET", "EIO=4&transport=abc", Err(BadRequest::Transport)),
            ("GET", "transport=polling", Err(BadRequest::Version)),
            ("GET", "EIO=3&transport=polling", Err(BadRequest::Version)),
            ("GET", "EIO=abc&transport=websocket", Err(BadRequest::Version)),
            ("POST", "EIO=4&transport=polling", Err(BadRequest::Method)),
            ("PUT", "EIO=4&transport=polling", Err(BadRequest::Method)),
            ("PUT", "EIO=4&transport=polling&sid=a", Err(BadRequest::Other)),
            ("GET", "EIO=4&transport=websocket", Err(BadRequest::Other)),
            ("POST", "EIO=4&transport=websocket&sid=a", Err(BadRequest::Other)),
            ("GET", "EIO=4&transport=polling&j=0", Err(BadRequest::Other)),
        ] {
            assert_eq!(ask(method, query), expected, "{method} {query}");
        }
        let request = Request::builder().uri("/?EIO=4&transport=websocket").header("upgrade", "WebSocket");
        assert_eq!(Ask::of(&request.body(()).unwrap()), Ok(Ask::WebSocket { sid: None }));
    }
}
