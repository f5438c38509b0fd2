//! Calls from where no call is expected: as a thread ends, and during a panic.

use std::cell::RefCell;
#[cfg(panic = "unwind")]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use roomcast::{Client, Engine, Inbox, Namespace, Payload, Room, Socket};

use crate::world::World;
use crate::{Case, case};

/// Handles of what there is, which are used when they are dropped.
struct Last {
    engine: Engine,
    namespace: Namespace,
    room: Room,
    socket: Socket,
    inbox: Inbox,
    report: Sender<Report>,
}

/// What became of each of the calls, in words.
type Report = Vec<String>;

impl Last {
    fn new(world: &World, report: Sender<Report>) -> Self {
        let (engine, namespace) = (world.engine.clone(), world.engine.of("/there").unwrap());
        let (socket, inbox) = namespace.connect();
        let room = namespace.room("last").unwrap();
        Self { engine, namespace, room, socket, inbox, report }
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let Self { engine, namespace, room, socket, inbox, report } = self;
        let client = Client::new(engine);
        let chat = client.socket("/chat", ()).unwrap();
        let told = vec![
            format!("{:?}", socket.join([room.name().clone(), "more".into()])),
            format!("{:?}", room.emit("e", "").unwrap().members()),
            format!("{:?}", socket.to("more").emit("e", "").unwrap().members()),
            format!("{:?}", namespace.to("last").except("nowhere").emit("e", "").unwrap().members()),
            format!("{:?}", socket.emit("e", "").is_ok()),
            format!("{:?}", namespace.to("last").emit_with_ack("e", "").unwrap().cancel().len()),
            format!("{:?}", inbox.drain(|_| {})),
            format!("{:?}", inbox.recv_timeout(Duration::ZERO).is_err()),
            format!("{:?}", socket.leave("more")),
            format!("{:?}", socket.on("e", |_, _: Payload| {}).is_ok()),
            format!("{:?}", (client.poll(), chat.is_connected())),
            format!("{:?}", (client.close(), engine.get("/there").is_some())),
            format!("{:?}", socket.disconnect("last")),
        ];
        report.send(told).unwrap();
    }
}

/// What a [`Last`] reports everywhere.
fn expected() -> Option<Report> {
    let told = [
        "Ok(2)",
        "1",
        "1",
        "1",
        "true",
        "1",
        "4",
        "true",
        "Ok(1)",
        "true",
        "(1, true)",
        "(true, true)",
        "true",
    ];
    Some(told.map(str::to_owned).into())
}

thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("everything, as a thread ends", expected(), |w| {
            let (report, reported) = channel();
            let last = Last::new(w, report);
            thread::spawn(move || LAST.set(Some(last))).join().unwrap();
            reported.try_recv().ok()
        }),
        case("everything, as a thread ends that has used the engine", expected(), |w| {
            let (report, reported) = channel();
            let mut last = Last::new(w, report);
            let use_and_end = move || {
                last.inbox.recv_timeout(Duration::ZERO).map(|_| ()).unwrap_err();
                LAST.set(Some(last));
            };
            thread::spawn(use_and_end).join().unwrap();
            reported.try_recv().ok()
        }),
        #[cfg(panic = "unwind")]
        case("everything, during a panic", expected(), |w| {
            let (report, reported) = channel();
            let last = Last::new(w, report);
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _last = last;
                resume_unwind(Box::new("on purpose"));
            }));
            panicked.unwrap_err();
            reported.try_recv().ok()
        }),
        #[cfg(panic = "unwind")]
        case("everything, during a panic out of a drain", expected(), |w| {
            let (report, reported) = channel();
            let (socket, mut inbox) = w.engine.of("/there").unwrap().connect();
            socket.emit("e", "").unwrap();
            let mut last = Some(Last::new(w, report));
            let drained = catch_unwind(AssertUnwindSafe(|| {
                inbox.drain(|_| {
                    let _last = last.take();
                    resume_unwind(Box::new("on purpose"));
                })
            }));
            drained.unwrap_err();
            reported.try_recv().ok()
        }),
    ]
}
