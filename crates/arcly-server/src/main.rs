//! `arcly`: the turnkey live-streaming server.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod config;
mod demo;
mod event_log;
mod http;
mod listeners;
mod logging;
mod metrics;
mod outputs;
mod relay;
mod server;
mod tls;
mod welcome;

use clap::Parser as _;
use config::{Config, Flags};
use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), Box<dyn Error>> {
    let check_only = flags.check_config;
    let config = Config::load(flags)?;
    if check_only {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(tls::load(&config))?;
        write!(std::io::stdout(), "{}", toml::to_string(&config)?)?;
        return Ok(());
    }
    logging::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(server::serve(config));
    // Everything has had its time to end.
    runtime.shutdown_background();
    served
}

/// An error with all its causes, in one line. (The errors of the configuration have several.)
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
