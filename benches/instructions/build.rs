//! Tells the program what compiled it.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var_os("RUSTC").expect("cargo says which");
    let output = Command::new(rustc).arg("--version").output().expect("a compiler that says its version");
    let version = String::from_utf8(output.stdout).expect("text");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=COMPILER={}", version.trim());
    println!("cargo::rustc-env=TARGET={}", env::var("TARGET").expect("cargo says it"));
}
