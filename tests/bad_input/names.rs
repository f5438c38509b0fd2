//! Names of rooms, events and namespaces.

use roomcast::{
    EmitError, Emitted, EventError, MembershipError, NamespaceError, Payload, RoomNameError, Target,
};

use crate::world::{LONGEST, World};
use crate::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = bad_rooms();
    cases.extend(odd_rooms());
    cases.extend(bad_events());
    cases.extend(bad_paths());
    cases.extend(bad_patterns());
    cases
}

/// Too long by one byte, of which two are one character.
fn too_long() -> String {
    format!("{}é", "x".repeat(LONGEST - 1))
}

fn bad_rooms() -> Vec<Case> {
    let too_long_error = |bytes| RoomNameError::TooLong { bytes, limit: LONGEST };
    let names = [
        ("empty", String::new(), RoomNameError::Empty),
        ("one byte too long", too_long(), too_long_error(LONGEST + 1)),
        ("of a megabyte", "x".repeat(1 << 20), too_long_error(1 << 20)),
    ];
    type Join = fn(&World, &str) -> Result<usize, MembershipError>;
    type Emit = fn(&World, &str) -> Result<Emitted, EmitError>;
    type Select = fn(&World, &str) -> Result<usize, EmitError>;
    let joins: [(&str, Join); 6] = [
        ("join", |w, name| w.ann.join(name)),
        ("join it among others", |w, name| w.ann.join(["new", name, "room"])),
        ("leave", |w, name| w.ann.leave(name)),
        ("leave it among others", |w, name| w.ann.leave(["room", name])),
        ("have it as the only room", |w, name| w.ann.set_rooms(name).map(|(joined, _)| joined)),
        ("have it among others", |w, name| w.ann.set_rooms(["room", name]).map(|(joined, _)| joined)),
    ];
    let emits: [(&str, Emit); 7] = [
        ("emit to", |w, name| w.chat.to(name).emit("e", "")),
        ("emit to it among others", |w, name| w.chat.to(["room", name]).emit("e", "")),
        ("emit to all but", |w, name| w.chat.except(name).emit("e", "")),
        ("emit from a socket to", |w, name| w.ann.to("room").to(name).emit("e", "")),
        ("emit from a socket within", |w, name| w.ann.within(name).emit("e", "")),
        ("emit with the target", |w, name| w.chat.target(&Target::new().to(name)).emit("e", "")),
        ("emit in all games to", |w, name| w.games.emit_to(&Target::new().to(name), "e", "")),
    ];
    let selects: [(&str, Select); 5] = [
        ("list", |w, name| w.chat.to(name).sockets().map(|all| all.len())),
        ("have all leave", |w, name| w.chat.to(name).leave("room").map(|it| it.changed())),
        ("disconnect all in", |w, name| w.chat.to(name).disconnect("out").map(|it| it.changed())),
        ("ask all in", |w, name| w.chat.to(name).emit_with_ack("e", "").map(|acks| acks.expected())),
        ("list in all games", |w, name| w.games.sockets(&Target::new().to(name)).map(|all| all.len())),
    ];
    let mut cases = Vec::new();
    for (kind, name, error) in names {
        for (what, join) in joins {
            let name = name.clone();
            let error = Err(MembershipError::Room(error));
            cases.push(case(format!("{what} a room whose name is {kind}"), error, move |w| join(w, &name)));
        }
        for (what, emit) in emits {
            let name = name.clone();
            let error = Err(EmitError::Room(error));
            cases.push(case(format!("{what} a room whose name is {kind}"), error, move |w| emit(w, &name)));
        }
        for (what, select) in selects {
            let name = name.clone();
            let error = Err(EmitError::Room(error));
            cases.push(case(format!("{what} a room whose name is {kind}"), error, move |w| select(w, &name)));
        }
        let handle = name.clone();
        cases.push(case(format!("find a room whose name is {kind}"), Err(error), move |w| {
            w.chat.room(&*handle)
        }));
        // Questions about what cannot be are no errors.
        cases.push(case(format!("ask about a room whose name is {kind}"), nothing(), move |w| {
            about(w, &name)
        }));
    }
    // All of a call is refused for one of its rooms, in the right order too.
    let refused = Err(MembershipError::Room(RoomNameError::Empty));
    cases.push(case("join 1000 rooms of which the last is empty", refused, |w| {
        let names: Vec<_> = (0..1000).map(|n| if n < 999 { n.to_string() } else { String::new() }).collect();
        w.ann.join(names)
    }));
    cases
}

type About = (bool, usize, usize, bool);

fn nothing() -> About {
    (false, 0, 0, false)
}

fn about(world: &World, name: &str) -> About {
    let World { chat, ann, .. } = world;
    (chat.has_room(name), chat.room_len(name), chat.members(name).len(), ann.is_in(name))
}

/// Names that are good, and of no room that there is, however much they look like one.
fn odd_rooms() -> Vec<Case> {
    let names = [
        "Room",
        "room ",
        " room",
        "room\0",
        "\0",
        "\n",
        "../room",
        "/room",
        "r\u{43e}om",
        "room\u{200b}",
        "\u{202e}moor",
        "ro\u{308}om",
        "5",
        "(1, 2)",
        "%72oom",
        "\u{fffd}",
        "💬",
    ];
    let mut cases = Vec::new();
    for name in names {
        cases.push(case(format!("ask about the room {name:?}"), nothing(), move |w| about(w, name)));
        cases.push(case(format!("leave the room {name:?}"), Ok(0), move |w| w.ann.leave(name)));
        let nobody = Ok((None, 0, 0));
        cases.push(case(format!("emit to the room {name:?}"), nobody, move |w| {
            let emitted = w.chat.to(name).emit("e", "")?;
            Ok::<_, EmitError>((emitted.sequence(), emitted.members(), emitted.rooms()))
        }));
    }
    cases
}

fn bad_events() -> Vec<Case> {
    let too_long_error = |bytes| EventError::TooLong { bytes, limit: LONGEST };
    let reserved = |name: &str| (format!("`{name}`"), name.to_owned(), EventError::Reserved(name.into()));
    let mut names = vec![
        ("empty".to_owned(), String::new(), EventError::Empty),
        ("one byte too long".to_owned(), too_long(), too_long_error(LONGEST + 1)),
        ("of a megabyte".to_owned(), "x".repeat(1 << 20), too_long_error(1 << 20)),
    ];
    names.extend(["connect", "connect_error", "disconnect", "disconnecting", "gap"].map(reserved));
    type Emit = fn(&World, &str) -> Result<(), EmitError>;
    let emits: [(&str, Emit); 12] = [
        ("emit to all", |w, event| w.chat.emit(event, "").map(drop)),
        ("emit to a room by name", |w, event| w.chat.to("room").emit(event, "").map(drop)),
        ("emit to a room by handle", |w, event| w.room.emit(event, "").map(drop)),
        ("emit to a room from a socket", |w, event| w.room.emit_from(&w.ann, event, "").map(drop)),
        ("emit to others", |w, event| w.ann.broadcast().emit(event, "").map(drop)),
        ("emit to one", |w, event| w.ann.emit(event, "").map(drop)),
        ("emit to one that may drop it", |w, event| w.ann.emit_volatile(event, "").map(drop)),
        ("emit to those who do not lag", |w, event| w.chat.to("room").volatile().emit(event, "").map(drop)),
        ("emit to several rooms", |w, event| w.chat.to(["room", "other"]).emit(event, "").map(drop)),
        ("emit in all games", |w, event| w.games.emit(event, "").map(drop)),
        ("ask all", |w, event| w.chat.emit_with_ack(event, "").map(drop)),
        ("ask one", |w, event| w.ann.emit_with_ack(event, "").map(drop)),
    ];
    let mut cases = Vec::new();
    for (kind, name, error) in names {
        for (what, emit) in emits {
            let name = name.clone();
            let error = Err(EmitError::Event(error.clone()));
            cases.push(case(format!("{what} an event that is {kind}"), error, move |w| emit(w, &name)));
        }
        let handle = name.clone();
        let no_handle = Err(error.clone());
        cases.push(case(format!("resolve an event that is {kind}"), no_handle, move |w| {
            w.chat.event(&handle)
        }));
        // A client may be sent `gap` by another server.
        if name != "gap" {
            let what = format!("handle an event that is {kind}");
            cases.push(case(what, Err(error), move |w| w.ann.on(&name, |_, _: Payload| {}).map(drop)));
        }
    }
    cases
}

fn bad_paths() -> Vec<Case> {
    let long = "x".repeat(256);
    let huge = "/x".repeat(1 << 19);
    let paths = [
        ("//", "a part between slashes is empty"),
        ("/chat/", "a part between slashes is empty"),
        ("/a//b", "a part between slashes is empty"),
        ("/ch at", "it contains white space or control characters"),
        ("/chat\0", "it contains white space or control characters"),
        ("\n", "it contains white space or control characters"),
        ("/\u{85}", "it contains white space or control characters"),
        ("/\u{2003}", "it contains white space or control characters"),
        ("/chat,", "it contains one of `,`, `?` and `#`"),
        ("/chat?a=b", "it contains one of `,`, `?` and `#`"),
        ("#chat", "it contains one of `,`, `?` and `#`"),
        (&long, "it is longer than 256 bytes"),
        (&huge, "it is longer than 256 bytes"),
    ];
    let mut cases = Vec::new();
    for (path, problem) in paths {
        let named = path.get(..20).unwrap_or(path).to_owned();
        let [a, b, c] = [(); 3].map(|()| path.to_owned());
        let error = Err(NamespaceError::BadPath { path: path.into(), problem });
        cases.push(case(format!("make the namespace {named:?}"), error, move |w| w.engine.of(&a)));
        cases.push(case(format!("look for the namespace {named:?}"), None, move |w| w.engine.get(&b)));
        cases.push(case(format!("remove the namespace {named:?}"), false, move |w| w.engine.remove(&c)));
    }
    // Good ones, of which there is none.
    for path in ["/Chat", "/..", "/../chat", "/./chat", "/chat/.", "/ch\u{430}t", "/chat\u{200b}", "/%63hat"]
    {
        cases.push(case(format!("look for the namespace {path:?}"), None, move |w| w.engine.get(path)));
        cases.push(case(format!("remove the namespace {path:?}"), false, move |w| w.engine.remove(path)));
    }
    cases
}

fn bad_patterns() -> Vec<Case> {
    ["{", "}", "/{}", "/{a}{b}", "/{a}/{a}", "/{*a}/b", "/{a b}", "//", "/{é}", "/{{a}}"]
        .map(|text| {
            let refused = Some(text.to_owned());
            case(format!("make a parent of {text:?}"), refused, move |w| {
                w.engine.of_pattern(text).err().map(|error| error.text().to_owned())
            })
        })
        .into()
}
