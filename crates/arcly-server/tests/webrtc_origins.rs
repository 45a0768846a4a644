//! WHIP and WHEP from a page of another origin, in a real browser: what CORS lets it do and see, with tokens in headers.

mod support;

use arcly_stream::auth::{Action, JwtAlgorithm, JwtClaims, JwtSigner};
use serde_json::json;
use std::time::{Duration, UNIX_EPOCH};
use support::Server;
use support::webrtc::{open, run};

const SECRET: &str = "a secret of 32 bytes at the least";

fn token(action: Action) -> String {
    let signer = JwtSigner::new(JwtAlgorithm::Hs256, SECRET).expect("long enough");
    // The year 2100.
    let claims = JwtClaims::expiring_at(UNIX_EPOCH + Duration::from_secs(4_102_444_800));
    signer.sign(&claims.allow(action, "live/*"))
}

/// Opens a session with a token in a header, and notes what the page is let see; changes and ends it.
const CLIENT: &str = r"
    const silence = () => new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
    async function publishElsewhere(url, token) {
        const pc = window.pc = new RTCPeerConnection();
        pc.addTransceiver(silence(), {direction: 'sendonly'});
        await pc.setLocalDescription();
        const headers = {'Content-Type': 'application/sdp', ...(token ? {Authorization: 'Bearer ' + token} : {})};
        const response = await fetch(url, {method: 'POST', headers, body: pc.localDescription.sdp});
        window.seen = {status: response.status, etag: response.headers.get('ETag'), location: response.headers.get('Location'), patch: response.headers.get('Accept-Patch')};
        const body = await response.text();
        if (response.status !== 201) { window.seen.problem = JSON.parse(body); return true; }
        window.session = new URL(seen.location, url).href;
        await pc.setRemoteDescription({type: 'answer', sdp: body});
        return true;
    }
    async function change(ifMatch) {
        const fragment = 'a=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n';
        const headers = {'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': ifMatch};
        return (await fetch(session, {method: 'PATCH', headers, body: fragment})).status;
    }
    const end = async () => (await fetch(session, {method: 'DELETE'})).status;
    const ask = async (url) => {
        const response = await fetch(url, {method: 'OPTIONS'});
        return [response.status, response.headers.get('Accept-Post')];
    };
    true
";

#[test]
fn a_page_of_another_origin_publishes_with_a_token_and_sees_the_session() {
    let elsewhere = Server::start(&[]);
    let mut server = Server::start(&["--auth-jwt-secret", SECRET]);
    let url = server.url("/live/cam/whip");
    let mut page = open(&elsewhere);
    page.evaluate(CLIENT);

    run(&mut page, &format!("publishElsewhere('{url}', null)"));
    assert_eq!(page.evaluate("seen.status"), 401);
    assert_eq!(
        page.evaluate("seen.problem.status"),
        401,
        "the page can read why"
    );
    let play = token(Action::Play);
    run(&mut page, &format!("publishElsewhere('{url}', '{play}')"));
    assert_eq!(
        page.evaluate("seen.status"),
        401,
        "that allows something else"
    );

    let publish = token(Action::Publish);
    run(
        &mut page,
        &format!("publishElsewhere('{url}', '{publish}')"),
    );
    assert_eq!(page.evaluate("seen.status"), 201);
    let location = page.evaluate("seen.location");
    let location = location.as_str().expect("it is exposed");
    assert!(location.starts_with("/live/cam/whip/"), "{location}");
    assert!(!location.contains(&publish), "the token is not passed on");
    assert_eq!(
        page.evaluate("seen.patch"),
        "application/trickle-ice-sdpfrag"
    );
    server.wait_live("live/cam");
    page.wait("pc.connectionState === 'connected'");
    assert_eq!(page.evaluate("change(seen.etag)"), 204);
    assert_eq!(page.evaluate("change('\"stale\"')"), 412);
    assert_eq!(page.evaluate("end()"), 200);
    assert_eq!(page.evaluate("end()"), 404);
    server.line(&["live/cam: ended"]);
    page.evaluate("pc.close()");

    // In the URL, for clients that cannot set headers.
    run(
        &mut page,
        &format!("publishElsewhere('{url}?token={publish}', null)"),
    );
    assert_eq!(page.evaluate("seen.status"), 201);
    assert!(page.evaluate("!seen.location.includes('token')") == true);
    assert_eq!(
        page.evaluate(&format!("ask('{url}')")),
        json!([204, null]),
        "what is not exposed is not seen"
    );
}
