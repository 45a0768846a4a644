//! The page in a real browser.

mod support;

use serde_json::Value;
use support::Server;
use support::page::Page;

#[test]
fn the_page_plays_the_demo() {
    let mut server = Server::start(&["--demo"]);
    server.wait_live("live/demo");
    let mut page = Page::open(&server.url("/"));
    page.wait("document.querySelector('#streams .name')?.textContent === 'live/demo'");
    page.wait("document.querySelector('video').currentTime > 1");
    let before = page
        .evaluate("document.querySelector('video').currentTime")
        .as_f64()
        .expect("a number");
    page.wait(&format!(
        "document.querySelector('video').currentTime > {}",
        before + 3.0
    ));
    assert_eq!(
        page.evaluate("document.querySelector('video').videoWidth"),
        640
    );
    assert_eq!(
        page.evaluate("document.querySelector('video').error"),
        Value::Null
    );
    assert_eq!(
        page.evaluate("document.querySelector('video').muted"),
        true,
        "or no browser would let it start by itself"
    );
    page.wait("document.querySelector('[data-number=fps]').textContent === '25 fps'");
    page.wait("document.querySelector('[data-number=viewers]').textContent === '1'");
    let rtmp = server.rtmp.expect("on").port();
    page.wait(&format!(
        "document.querySelector('#publish-server').textContent === 'rtmp://127.0.0.1:{rtmp}/live'"
    ));
    let (http, path) = (server.http_address(), "live/demo");
    for (id, url) in [
        ("flv", format!("http://{http}/{path}.flv")),
        ("rtmp", format!("rtmp://127.0.0.1:{rtmp}/{path}")),
        ("url", format!("http://{http}/{path}/index.m3u8")),
    ] {
        page.wait(&format!(
            "document.querySelector('#watch-{id}').textContent === '{url}'"
        ));
    }
    page.evaluate("document.querySelector('#unmute').click()");
    page.wait("!document.querySelector('video').muted && document.querySelector('#unmute').hidden");
    if let Some(path) = std::env::var_os("ARCLY_SCREENSHOT") {
        page.screenshot(std::path::Path::new(&path));
    }
}

#[test]
fn the_page_says_that_nothing_is_live_and_notices_a_publisher() {
    let server = Server::start(&[]);
    let mut page = Page::open(&server.url("/"));
    page.wait("document.querySelector('#notice').textContent.includes('Nothing is live')");
    let _publisher = support::publish(&server.rtmp_url("live/late"), 20);
    page.wait("document.querySelector('#title').textContent === 'live/late'");
    page.wait("document.querySelector('video').currentTime > 1");
}

#[test]
fn the_page_shows_relays_and_what_is_interrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("arcly.toml");
    let toml = "publisher_grace = '60s'\n[[pull]]\nstream = 'live/far'\nurl = 'rtmp://user:s3cret@127.0.0.1:1/app/s3cret'\n";
    std::fs::write(&config, toml).expect("written");
    let mut server = Server::start(&["--config", config.to_str().expect("UTF-8")]);
    let publisher = support::publish(&server.rtmp_url("live/cam"), 60);
    server.wait_live("live/cam");
    let mut page = Page::open(&server.url("/"));
    page.wait("document.querySelector('#relay-list').textContent.includes('live/far ← rtmp://127.0.0.1:1/app/…')");
    page.wait("document.querySelector('#relay-list .details').textContent.includes('failed: ')");
    page.wait("document.querySelector('video').currentTime > 1");
    drop(publisher);
    page.wait("document.querySelector('#origin').textContent.includes('interrupted')");
    page.wait("document.querySelector('#streams .interrupted') !== null");
    assert_eq!(
        page.evaluate("document.body.innerText.includes('s3cret')"),
        false
    );
    let _publisher = support::publish(&server.rtmp_url("live/cam"), 60);
    page.wait("!document.querySelector('#origin').textContent.includes('interrupted')");
}
