//! Replays IRC channel logs through the engine and counts what everybody receives.
//!
//! ```text
//! cargo run --release --example replay -- FILE...
//! ```
//!
//! Each nick is a socket, each channel a room. A join, a leave or a new nick is announced to the others in
//! the channel, and what somebody says goes to the others in `#ubuntu`. For each file it prints one line of
//! JSON: what the log tells (sockets, joins, leaves, renames, messages) and what the inboxes got
//! (deliveries, bytes of payload, and the most deliveries to one socket):
//!
//! ```text
//! $ printf '[09:14] <ann> hello\n[09:15] <bob> hello yourself\n' > small.log
//! $ cargo run --release --example replay -- small.log
//! {"file":"small.log","sockets":2,"joins":0,"leaves":0,"renames":0,"messages":2,"deliveries":1,"bytes":14,"max_inbox":1}
//! ```
//!
//! A file that cannot be read is reported on standard error; the others are still replayed, and the exit
//! code is 1. `parse.rs` has the form of the logs, `replay.rs` what is done with them.

mod parse;
mod replay;

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal, Write};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::replay::{Summary, replay};

const USAGE: &str = "\
Usage: replay [--help] [--] FILE...

Replays IRC channel logs through the engine, and prints for each file one line
of JSON: what the log tells, and what the inboxes received.

Exit code: 0, 1 if a file could not be replayed, 2 for a wrong command line.
";

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let code = match Request::from_args(std::env::args_os().skip(1)) {
        Request::Help => tell(&mut io::stdout(), USAGE),
        Request::Wrong(problem) => {
            eprint!("{problem}\n\n{USAGE}");
            MISUSED
        }
        Request::Replay(files) => {
            let bar = progress_bar(&files);
            let code = replay_all(&files, &bar, &mut io::stdout(), &mut io::stderr());
            bar.finish_and_clear();
            code
        }
    };
    ExitCode::from(code)
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Help,
    Wrong(String),
    Replay(Vec<OsString>),
}

impl Request {
    fn from_args(args: impl IntoIterator<Item = OsString>) -> Self {
        let mut files = Vec::new();
        let mut only_files = false;
        for arg in args {
            match arg.to_str() {
                Some("--") if !only_files => only_files = true,
                Some("-h" | "--help") if !only_files => return Self::Help,
                Some(option) if !only_files && option.len() > 1 && option.starts_with('-') => {
                    return Self::Wrong(format!("unknown option `{option}`"));
                }
                _ => files.push(arg),
            }
        }
        if files.is_empty() { Self::Wrong("no files".to_owned()) } else { Self::Replay(files) }
    }
}

/// Replays the files one by one, and returns the exit code.
fn replay_all(files: &[OsString], bar: &ProgressBar, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let mut code = 0;
    for file in files {
        let name = file.to_string_lossy();
        bar.set_message(name.to_string());
        let told = match replay_file(file, bar) {
            Ok(summary) => bar.suspend(|| tell(out, &json(&name, &summary))),
            Err(error) => bar.suspend(|| tell(err, &format!("{name}: {error}\n")).max(FAILED)),
        };
        code = code.max(told);
    }
    code
}

fn replay_file(path: &OsStr, bar: &ProgressBar) -> Result<Summary, Box<dyn Error>> {
    replay(BufReader::new(bar.wrap_read(File::open(path)?)))
}

/// Prints text, and returns the exit code: whoever reads the output may have gone.
fn tell(to: &mut impl Write, text: &str) -> u8 {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Ok(()) => 0,
        Err(_) => FAILED,
    }
}

/// The line for one file. Written by hand, for the order of the keys.
fn json(name: &str, summary: &Summary) -> String {
    let Summary { sockets, joins, leaves, renames, messages, deliveries, bytes, max_inbox } = summary;
    let file = serde_json::Value::from(name);
    format!(
        "{{\"file\":{file},\"sockets\":{sockets},\"joins\":{joins},\"leaves\":{leaves},\
         \"renames\":{renames},\"messages\":{messages},\"deliveries\":{deliveries},\"bytes\":{bytes},\
         \"max_inbox\":{max_inbox}}}\n"
    )
}

/// A bar over the bytes of all files, if somebody is there to see it.
fn progress_bar(files: &[OsString]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bytes = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|metadata| metadata.len());
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {wide_msg}");
    ProgressBar::new(bytes.sum()).with_style(style.expect("the template is well-formed"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder for one test, gone after it.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static FOLDERS: AtomicU32 = AtomicU32::new(0);
            let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
            let name = format!("roomcast-replay-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn path(&self, name: &str) -> OsString {
            self.0.join(name).into()
        }

        fn file(&self, name: &str, content: &[u8]) -> OsString {
            let path = self.path(name);
            fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The exit code, standard output and standard error.
    fn run(files: &[OsString]) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = replay_all(files, &ProgressBar::hidden(), &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn request(args: &[&str]) -> Request {
        Request::from_args(args.iter().map(OsString::from))
    }

    #[test]
    fn the_command_line_is_files() {
        assert_eq!(request(&["a", "b"]), Request::Replay(vec!["a".into(), "b".into()]));
        assert_eq!(request(&["-"]), Request::Replay(vec!["-".into()]));
        assert_eq!(request(&["--", "--help"]), Request::Replay(vec!["--help".into()]));
        assert_eq!(request(&["--", "--"]), Request::Replay(vec!["--".into()]));
        assert_eq!(request(&["a", "--help"]), Request::Help);
        assert_eq!(request(&["-h"]), Request::Help);
        for wrong in [&[][..], &["--"], &["--fast", "a"], &["a", "-x"]] {
            assert!(matches!(request(wrong), Request::Wrong(_)), "{wrong:?}");
        }
    }

    #[test]
    fn each_file_is_one_line() {
        let folder = Folder::new();
        let (one, none) = (folder.file("one.log", b"<ann> 1\n<bob> 12"), folder.file("none.log", b""));
        let (code, out, err) = run(&[one.clone(), none.clone(), one.clone()]);
        let line = |file: &OsString, figures: &str| {
            format!("{{\"file\":{},{figures}}}\n", serde_json::Value::from(file.to_str().unwrap()))
        };
        let one = line(
            &one,
            "\"sockets\":2,\"joins\":0,\"leaves\":0,\"renames\":0,\"messages\":2,\"deliveries\":1,\"bytes\":2,\
             \"max_inbox\":1",
        );
        let none = line(
            &none,
            "\"sockets\":0,\"joins\":0,\"leaves\":0,\"renames\":0,\"messages\":0,\"deliveries\":0,\"bytes\":0,\
             \"max_inbox\":0",
        );
        assert_eq!((code, out, err), (0, format!("{one}{none}{one}"), String::new()));
    }

    #[test]
    fn what_cannot_be_read_does_not_stop_the_rest() {
        let folder = Folder::new();
        let (first, missing) = (folder.file("first.log", b"<ann> 1\n"), folder.path("missing.log"));
        let (a_folder, last) = (folder.0.clone().into_os_string(), folder.file("last.log", b"<ann> 1\n"));
        let (code, out, err) = run(&[first, missing.clone(), a_folder.clone(), last]);
        assert_eq!((code, out.lines().count()), (1, 2));
        assert!(out.contains("first.log") && out.contains("last.log"));
        let errors: Vec<_> = err.lines().collect();
        assert_eq!(errors.len(), 2);
        assert!(errors[0].starts_with(&format!("{}: ", missing.to_string_lossy())), "{err}");
        assert!(errors[1].starts_with(&format!("{}: ", a_folder.to_string_lossy())), "{err}");
    }

    #[test]
    fn names_are_escaped() {
        let summary = Summary { sockets: 1, bytes: u64::MAX, ..Summary::default() };
        let line = json("a \"b\"\\\n\u{1}ü", &summary);
        assert!(line.starts_with(r#"{"file":"a \"b\"\\\n\u0001ü","sockets":1,"#), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["file"], &value["bytes"]), (&"a \"b\"\\\n\u{1}ü".into(), &u64::MAX.into()));
    }

    #[test]
    fn an_output_that_is_gone_is_a_failure() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = Folder::new();
        let file = folder.file("one.log", b"<ann> 1\n");
        assert_eq!(replay_all(&[file], &ProgressBar::hidden(), &mut Gone, &mut Vec::new()), FAILED);
    }
}
