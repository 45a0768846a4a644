//! What can be set, and what cannot.

use super::*;
use clap::Parser as _;

fn settled(flags: &[&str], file: &str) -> Result<Config, ConfigError> {
    let flags = Flags::try_parse_from([&["arcly"], flags].concat());
    let flags = flags.map_err(|error| ConfigError(error.to_string()))?;
    let config = Config::settle(flags, File::parse(file)?);
    config.validate()?;
    Ok(config)
}

#[test]
fn without_anything_the_defaults_hold() {
    let config = settled(&[], "").expect("valid");
    assert_eq!(config.rtmp_listen, Listen::any(1935));
    assert_eq!(config.http_listen, Listen::any(8080));
    assert_eq!(config.app, ["live"]);
    assert_eq!(
        (config.rtmps_listen, config.https_listen),
        (Listen::Off, Listen::Off)
    );
    assert!(!config.demo && config.record.is_none() && config.auth_jwt_secret.is_none());
}

#[test]
fn a_certificate_turns_tls_on() {
    let tls = ["--tls-cert", "c.pem", "--tls-key", "k.pem"];
    let config = settled(&tls, "https_listen = 'off'").expect("valid");
    assert_eq!(config.rtmps_listen, Listen::any(1936));
    assert_eq!(config.https_listen, Listen::Off);
}

#[test]
fn a_flag_wins_over_the_file() {
    let file = "rtmp_listen = '127.0.0.1:1'\nhttp_listen = 'off'\ndemo = true\napp = ['a']\n";
    let config = settled(&["--rtmp-listen", "127.0.0.1:2", "--demo=false"], file).expect("valid");
    assert_eq!(config.rtmp_listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.http_listen, Listen::Off);
    assert!(!config.demo);
    assert_eq!(config.app, ["a"]);
}

#[test]
fn what_is_printed_sets_the_same() {
    let file = "idle_timeout = '1m 30s'\ntakeover = 'replace'\nrecord = '/tmp/x'\nrecord_format = 'mp4'\narchive = '/tmp/y'\npublisher_grace = '5s'\n[rtmp]\nflush_interval = '20ms'\n[hls]\nrewind = '5m'\n[[group]]\nstream = 'live/show'\nvariants = ['live/high', 'live/low']\n[limits]\nhttp_connections = 7\n";
    let config = settled(&[], file).expect("valid");
    let printed = toml::to_string(&config).expect("TOML");
    assert_eq!(settled(&[], &printed).expect("valid"), config);
    assert_eq!(config.limits.http_connections, 7);
}

#[test]
fn secrets_are_not_printed() {
    let config = settled(
        &["--auth-jwt-secret", "0123456789abcdef0123456789abcdef"],
        "",
    )
    .expect("valid");
    assert!(
        !toml::to_string(&config)
            .expect("TOML")
            .contains("0123456789")
    );
    assert!(!format!("{config:?}").contains("0123456789"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let error = settled(&[], "demo = true\nrtmp_lisen = 'off'\n")
        .expect_err("unknown")
        .to_string();
    assert!(
        error.contains("rtmp_lisen") && error.contains("line 2"),
        "{error}"
    );
    let error = settled(&[], "[limits]\nhttp_conections = 1\n")
        .expect_err("unknown")
        .to_string();
    assert!(
        error.contains("http_conections") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn values_that_cannot_work_are_refused() {
    for (flags, file, what) in [
        (&["--app", "api"][..], "", "api"),
        (&["--app", "a/b"], "", "a/b"),
        (&[], "app = []", "app"),
        (&["--log", "loud"], "", "loud"),
        (&["--auth-anonymous-play"], "", "auth_anonymous_play"),
        (&[], "idle_timeout = 'soon'", "idle_timeout"),
        (&[], "rtmp_listen = '1935'", "rtmp_listen"),
        (&["--tls-cert", "c.pem"], "", "tls_key"),
        (&["--https-listen", "127.0.0.1:1"], "", "https_listen"),
        (
            &["--tls-key", "k.pem"],
            "rtmps_listen = '[::]:1936'",
            "rtmps_listen",
        ),
        (&[], "[rtmp]\nflush_interval = 'often'", "flush_interval"),
        (
            &[],
            "[rtmp]\nmax_flush_interval = '11s'",
            "max_flush_interval",
        ),
        (&[], "play_wait = '2h'", "play_wait"),
        (&["--record-format", "mkv"], "", "mkv"),
        (&[], "record = 'ftp://host/x'", "ftp://"),
        (&[], "record = 's3://user:key@bucket/x'", "record"),
        (&["--record", "x", "--archive", "x"], "", "archive"),
        (&[], "[hls]\ntarget_duration = '20s'", "target_duration"),
        (&[], "[hls]\npart_duration = '3s'", "part_duration"),
        (&[], "[hls]\nrewind = '48h'", "rewind"),
        (&[], "[[group]]\nstream = 'live/a'\nvariants = []", "live/a"),
        (
            &[],
            "[[group]]\nstream = 'a'\nvariants = ['live/b']",
            "<app>/<stream>",
        ),
        (
            &[],
            "[[group]]\nstream = 'live/a'\nvariants = ['vod/b']",
            "application",
        ),
        (
            &[],
            "[[group]]\nstream = 'live/a'\nvariants = ['live/a']",
            "group itself",
        ),
        (
            &[],
            "[[group]]\nstream = 'live/a'\nvariants = ['live/b', 'live/b']",
            "twice",
        ),
    ] {
        let error = settled(flags, file).expect_err(what).to_string();
        assert!(error.contains(what), "{error}");
    }
}
