//! Runs the server until it is told to stop.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use socketio_server::{Options, start};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let port = options.port;
    // Before anybody is told that it runs: a signal that comes at once ends it as any other does.
    let stop = match stop_signals() {
        Ok(stop) => stop,
        Err(error) => return fail(&format!("cannot wait for a signal: {error}")),
    };
    let server = match start(options).await {
        Ok(server) => server,
        Err(error) => return fail(&format!("cannot listen on port {port}: {error}")),
    };
    println!("listening on http://{}", server.address());
    stop.await;
    server.shutdown().await;
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

#[cfg(unix)]
fn stop_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signals() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move { drop(interrupt.recv().await) })
}
