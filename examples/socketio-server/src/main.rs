//! Runs the server until it is told to stop.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use socketio_server::{Options, start};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let port = options.port;
    let server = match start(options).await {
        Ok(server) => server,
        Err(error) => return fail(&format!("cannot listen on port {port}: {error}")),
    };
    println!("listening on http://{}", server.address());
    if let Err(error) = told_to_stop().await {
        return fail(&format!("cannot wait for a signal: {error}"));
    }
    server.shutdown().await;
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}

#[cfg(unix)]
async fn told_to_stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
