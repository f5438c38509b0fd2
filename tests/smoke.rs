use roomcast::*;

#[test]
fn smoke() {
    let engine = Engine::new();
    let ns = engine.of("/w").unwrap();
    let (a, mut ia) = ns.connect();
    let (b, mut ib) = ns.connect();
    a.join(["x", "y"]).unwrap();
    b.join("y").unwrap();
    ns.to(["x", "y"]).emit("u", "1").unwrap();
    a.to("y").emit("v", "2").unwrap();
    a.emit("d", "3").unwrap();
    ns.emit("all", "4").unwrap();
    ns.to(b.id()).to("x").emit("mix", "5").unwrap();
    let f = |i: &mut Inbox| {
        let mut v = vec![];
        i.drain(|d| v.push(format!("{}:{}", d.event(), d.payload().as_str().unwrap_or("-"))));
        v.join(" ")
    };
    assert_eq!(f(&mut ia), "u:1 d:3 all:4 mix:5");
    assert_eq!(f(&mut ib), "u:1 v:2 all:4 mix:5");
    for i in 0..20000 {
        ns.to("y").emit("n", format!("{i}")).unwrap();
    }
    let mut n = 0;
    let mut gap = 0;
    ia.drain(|d| match d.gap() {
        Some(g) => gap += g.missed,
        None => n += 1,
    });
    assert_eq!(n + gap, 20000);
    assert!(n >= 4096 && n < 4096 + 300, "{n}");
    b.disconnect("bye");
    ns.to("y").emit("late", "1").unwrap();
    let mut n = 0;
    let mut gap = 0;
    ib.drain(|d| match d.gap() {
        Some(g) => gap += g.missed,
        None => n += 1,
    });
    assert_eq!(n + gap, 20000);
    assert_eq!(ib.closed(), Some(&DisconnectReason::Other("bye".into())));
}
