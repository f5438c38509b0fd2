//! The server's process, if it is started for this run.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::loopback;

/// In which `/proc` counts time, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Kept open: a server that cannot print might stop.
    _stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

/// What a server has used since it was started.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) server_peak_rss_bytes: u64,
    pub(crate) server_cpu_seconds: f64,
}

impl Server {
    /// Starts a server on a free port, and waits until it says where it listens.
    pub(crate) async fn start(program: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| format!("{} does not start: {error}", program.display());
        let mut child = Command::new(program)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).await.map_err(failed)?;
        let url = line.trim().strip_prefix("listening on ");
        let url = url.ok_or_else(|| format!("the server does not say where it listens, but {line:?}"))?;
        Ok(Self { child, address: loopback::parse(url)?, _stdout: stdout })
    }

    /// Returns what it has used so far, where the system tells.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()?)).ok();
        let status = read("status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
        let stat = read("stat")?;
        // After the program's name, which may contain anything, come its state and 10 more, then its times.
        let mut times = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut time = || times.next()?.parse::<f64>().ok();
        let ticks = time()? + time()?;
        Some(Usage { server_peak_rss_bytes: peak * 1024, server_cpu_seconds: ticks / TICKS_PER_SECOND })
    }
}
