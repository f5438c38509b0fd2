//! The server's process, watched from outside.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::well_behaved::Mode;

/// How long sessions and connections may outlive their clients.
const SETTLING: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Has the allocator of glibc give back what is free: one heap for all threads, trimmed, with large blocks apart from it.
/// Without that, what it keeps depends on which threads happened to serve whom.
const TIDY: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "65536")];

/// A running server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    mode: Mode,
    child: Child,
    address: SocketAddr,
    complaints: Arc<Mutex<String>>,
    idle_descriptors: usize,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(mode: Mode, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_socketio-server"))
            .args(["--port", "0"])
            .args(mode.flag())
            .args(arguments)
            .envs(TIDY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let complaints = Arc::new(Mutex::new(String::new()));
        let (mut stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&complaints));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the server says {line:?}"));
        let mut server = Self { mode, child, address, complaints, idle_descriptors: 0 };
        server.idle_descriptors = server.descriptors();
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Checks that it runs, has not panicked, and serves a well-behaved client.
    pub(crate) fn assert_unharmed(&mut self) {
        self.mode.assert_served(self.address);
        assert_eq!(self.child.try_wait().unwrap(), None, "the server is gone");
        let complaints = self.complaints.lock().unwrap();
        assert!(!complaints.contains("panicked"), "{complaints}");
    }

    /// Waits until it has closed all connections, and returns how much memory it has then.
    pub(crate) fn settle(&self) -> u64 {
        let deadline = Instant::now() + SETTLING;
        while self.descriptors() > self.idle_descriptors {
            assert!(Instant::now() < deadline, "{} descriptors are left open", self.descriptors());
            thread::sleep(LOOK_EVERY);
        }
        self.resident_bytes()
    }

    /// Its memory, as far as it is in use now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
