use super::golden::{ED25519, P256, P384, RSA, RSA_1024, SECRET, TOKENS};
use super::*;
use crate::{AccessRequest, Action, Authenticator, Credentials, StreamKey, TimeSource};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

const NOW: u64 = 1_900_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn authenticator(key: JwtKey) -> JwtAuthenticator {
    JwtAuthenticator::new([key])
        .unwrap()
        .clock(TimeSource::from_fn(|| at(NOW)))
}

fn with_secret() -> JwtAuthenticator {
    authenticator(JwtKey::hs256(SECRET).unwrap())
}

fn signer() -> JwtSigner {
    JwtSigner::new(JwtAlgorithm::Hs256, SECRET).unwrap()
}

fn claims() -> JwtClaims {
    JwtClaims::expiring_at(at(NOW + 60)).allow(Action::Publish, "live/cam1")
}

/// The answer to a peer that wants to publish `live/cam1`; "ok" where it may.
fn publish(authenticator: &JwtAuthenticator, token: impl Into<String>) -> String {
    ask(
        authenticator,
        Action::Publish,
        "live/cam1",
        &Credentials::token(token),
    )
}

fn ask(
    authenticator: &JwtAuthenticator,
    action: Action,
    key: &str,
    credentials: &Credentials,
) -> String {
    let (app, stream) = key.split_once('/').unwrap();
    let key = StreamKey::new(app, stream);
    let request = AccessRequest::new(action, &key, credentials);
    let answer = std::pin::pin!(authenticator.authorize(&request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match Future::poll(answer, &mut context) {
        std::task::Poll::Ready(Ok(())) => "ok".to_owned(),
        std::task::Poll::Ready(Err(denied)) => denied.reason,
        std::task::Poll::Pending => panic!("it waits for nothing"),
    }
}

/// A token with any header and claims, signed by [`SECRET`] with HS256.
fn forge(header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256)
            .unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

fn key_for(algorithm: JwtAlgorithm, key: &str) -> JwtKey {
    match algorithm.min_secret_bytes() {
        Some(length) => JwtKey::secret(algorithm, &key[..length]).unwrap(),
        None => JwtKey::public_key_pem(algorithm, key).unwrap(),
    }
}

#[test]
fn tokens_of_another_implementation_are_accepted() {
    for (algorithm, key, token) in TOKENS {
        let authenticator = authenticator(key_for(*algorithm, key));
        assert_eq!(publish(&authenticator, *token), "ok", "{algorithm}");
        let mut damaged = (*token).to_owned();
        let change = damaged.len() - 10;
        let other = if damaged.as_bytes()[change] == b'A' {
            "B"
        } else {
            "A"
        };
        damaged.replace_range(change..=change, other);
        assert_eq!(
            publish(&authenticator, damaged),
            "the token's signature is wrong",
            "{algorithm}"
        );
    }
}

#[test]
fn a_key_is_for_one_algorithm() {
    for (algorithm, key, _) in TOKENS {
        let authenticator = authenticator(key_for(*algorithm, key));
        for (other, _, token) in TOKENS.iter().filter(|(other, ..)| other != algorithm) {
            let answer = publish(&authenticator, *token);
            assert_eq!(
                answer, "the token's algorithm or key is not accepted",
                "{other} with a key for {algorithm}"
            );
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // The classic: an RS256 server, and a token signed with HS256 with the public key's text as its secret.
    let forged = JwtSigner::new(JwtAlgorithm::Hs256, RSA)
        .unwrap()
        .sign(&claims());
    let authenticator = authenticator(JwtKey::public_key_pem(JwtAlgorithm::Rs256, RSA).unwrap());
    assert_eq!(
        publish(&authenticator, forged),
        "the token's algorithm or key is not accepted"
    );
}

#[test]
fn none_is_no_algorithm() {
    let claims =
        URL_SAFE_NO_PAD.encode(r#"{"exp":2000000000,"arcly":[{"action":"publish","path":"*/*"}]}"#);
    for alg in ["none", "None", "NONE", "", "HS256 "] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
        let answer = publish(&with_secret(), format!("{header}.{claims}."));
        assert_eq!(
            answer, "the token's algorithm or key is not accepted",
            "{alg:?}"
        );
    }
    let header = URL_SAFE_NO_PAD.encode(HEADER);
    assert_eq!(
        publish(&with_secret(), format!("{header}.{claims}.")),
        "the token's signature is wrong"
    );
}

#[test]
fn the_example_of_the_standard_verifies() {
    // RFC 7515, appendix A.1; it expires in 2011 and allows nothing.
    let key = URL_SAFE_NO_PAD
        .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
        .unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let authenticator = authenticator(JwtKey::hs256(key).unwrap());
    assert_eq!(publish(&authenticator, token), "the token has expired");
    let authenticator = authenticator.clock(TimeSource::from_fn(|| at(1_300_819_000)));
    assert_eq!(
        publish(&authenticator, token),
        "the token does not allow to publish live/cam1"
    );
}

#[test]
fn our_tokens_satisfy_another_implementation() {
    let token = signer().sign(
        &claims()
            .audience("us")
            .issuer("me")
            .subject("cam")
            .not_before(at(1)),
    );
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&["us"]);
    validation.set_issuer(&["me"]);
    validation.validate_nbf = true;
    let key = jsonwebtoken::DecodingKey::from_secret(SECRET.as_bytes());
    let decoded = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap();
    let expected = serde_json::json!({
        "exp": NOW + 60, "nbf": 1, "iss": "me", "sub": "cam", "aud": "us",
        "arcly": [{ "action": "publish", "path": "live/cam1" }],
    });
    assert_eq!(decoded.claims, expected);
}

#[test]
fn another_secret_is_refused() {
    let other = JwtSigner::new(JwtAlgorithm::Hs256, "another secret of at least 32 bytes").unwrap();
    assert_eq!(
        publish(&with_secret(), other.sign(&claims())),
        "the token's signature is wrong"
    );
}

#[test]
fn a_path_that_is_no_stream_s_allows_nothing() {
    for path in [
        "*",
        "live*",
        "live",
        "",
        "/",
        "/*",
        "live/",
        "live/cam1/x",
        "*/*/*",
        "live/**",
    ] {
        let token =
            signer().sign(&JwtClaims::expiring_at(at(NOW + 60)).allow(Action::Publish, path));
        assert_ne!(publish(&with_secret(), token), "ok", "{path}");
    }
    for path in ["*/*", "live/*", "l*/c*", "live/cam1"] {
        let token =
            signer().sign(&JwtClaims::expiring_at(at(NOW + 60)).allow(Action::Publish, path));
        assert_eq!(publish(&with_secret(), token), "ok", "{path}");
    }
}

#[test]
fn time_is_checked_with_leeway() {
    let authenticator = with_secret().leeway(Duration::from_secs(5));
    let expiring = |seconds| {
        signer().sign(&JwtClaims::expiring_at(at(seconds)).allow(Action::Publish, "live/cam1"))
    };
    assert_eq!(publish(&authenticator, expiring(NOW - 4)), "ok");
    assert_eq!(
        publish(&authenticator, expiring(NOW - 5)),
        "the token has expired"
    );
    assert_eq!(
        publish(
            &authenticator,
            signer().sign(&claims().not_before(at(NOW + 5)))
        ),
        "ok"
    );
    assert_eq!(
        publish(
            &authenticator,
            signer().sign(&claims().not_before(at(NOW + 6)))
        ),
        "the token is not valid yet"
    );

    let eternal = signer().sign(&JwtClaims::without_expiry().allow(Action::Publish, "live/cam1"));
    assert_eq!(
        publish(&authenticator, eternal.clone()),
        "the token lacks an expiry time"
    );
    let authenticator = authenticator.require_expiry(false);
    assert_eq!(publish(&authenticator, eternal), "ok");
    assert_eq!(
        publish(&authenticator, expiring(NOW - 5)),
        "the token has expired",
        "where there is an expiry, it counts"
    );
}

#[test]
fn audience_and_issuer_are_checked() {
    let plain = with_secret();
    let named = with_secret().audience("us").issuer("me");
    let token = |claims: JwtClaims| signer().sign(&claims);
    assert_eq!(
        publish(&named, token(claims().audience("us").issuer("me"))),
        "ok"
    );
    assert_eq!(
        publish(&named, token(claims().audience("us"))),
        "the token's issuer is not accepted"
    );
    assert_eq!(
        publish(&named, token(claims().audience("us").issuer("you"))),
        "the token's issuer is not accepted"
    );
    assert_eq!(
        publish(&named, token(claims().issuer("me"))),
        "the token is for another audience"
    );
    assert_eq!(
        publish(&named, token(claims().audience("them").issuer("me"))),
        "the token is for another audience"
    );
    assert_eq!(publish(&plain, token(claims().issuer("anyone"))), "ok");
    assert_eq!(
        publish(&plain, token(claims().audience("us"))),
        "the token is for another audience"
    );
    let several = r#"{"exp":2000000000,"iss":"me","aud":["them","us"],"arcly":[{"action":"publish","path":"*/*"}]}"#;
    assert_eq!(publish(&named, forge(HEADER, several)), "ok");
}

#[test]
fn a_token_allows_what_it_says() {
    let token = signer().sign(
        &claims()
            .allow(Action::Play, "live/*")
            .allow(Action::Play, "*/lobby")
            .allow(Action::Publish, "studio/cam-*"),
    );
    let token = Credentials::token(token);
    let may = |action, key| ask(&with_secret(), action, key, &token) == "ok";
    for key in ["live/cam1", "live/x", "other/lobby", "live/lobby"] {
        assert!(may(Action::Play, key), "{key}");
    }
    for key in ["other/cam1", "live2/x", "studio/cam-1", "other/lobby2"] {
        assert!(!may(Action::Play, key), "{key}");
    }
    for key in ["live/cam1", "studio/cam-", "studio/cam-7"] {
        assert!(may(Action::Publish, key), "{key}");
    }
    for key in [
        "live/cam2",
        "live/cam",
        "live/cam11",
        "studio/cam",
        "other/lobby",
    ] {
        assert!(!may(Action::Publish, key), "{key}");
    }
    let answer = ask(&with_secret(), Action::Publish, "live/cam2", &token);
    assert_eq!(answer, "the token does not allow to publish live/cam2");
}

#[test]
fn actions_to_come_allow_nothing_and_harm_nothing() {
    let token = |actions: &str| {
        forge(
            HEADER,
            &format!(r#"{{"exp":2000000000,"arcly":[{actions}]}}"#),
        )
    };
    assert_eq!(
        publish(
            &with_secret(),
            token(r#"{"action":"administer","path":"*/*"}"#)
        ),
        "the token does not allow to publish live/cam1"
    );
    let both =
        r#"{"action":"administer","path":"x"},{"action":"publish","path":"live/cam1","until":7}"#;
    assert_eq!(publish(&with_secret(), token(both)), "ok");
    for path in ["*", "live", "", "/", "live/cam1/", "/live/cam1"] {
        let entry = format!(r#"{{"action":"publish","path":"{path}"}}"#);
        assert_ne!(publish(&with_secret(), token(&entry)), "ok", "{path:?}");
    }
}

#[test]
fn a_token_is_shown_as_token_or_as_password() {
    let token = signer().sign(&claims());
    let answer =
        |credentials: &Credentials| ask(&with_secret(), Action::Publish, "live/cam1", credentials);
    assert_eq!(answer(&Credentials::password("anyone", token)), "ok");
    assert_eq!(answer(&Credentials::anonymous()), "a token is required");
    assert_eq!(answer(&Credentials::token("")), "a token is required");
}

#[test]
fn play_can_be_left_open() {
    let open = with_secret().allow_anonymous_play(true);
    assert_eq!(
        ask(&open, Action::Play, "live/cam1", &Credentials::anonymous()),
        "ok"
    );
    assert_eq!(
        ask(
            &open,
            Action::Publish,
            "live/cam1",
            &Credentials::anonymous()
        ),
        "a token is required"
    );
    assert_eq!(
        ask(
            &with_secret(),
            Action::Play,
            "live/cam1",
            &Credentials::anonymous()
        ),
        "a token is required"
    );
}

#[test]
fn malformed_tokens_are_refused() {
    let good = signer().sign(&claims());
    let padded = format!("{good}=");
    for bad in [
        "x",
        ".",
        "..",
        "...",
        "a.b.c",
        "eyJ9.e30.x",
        &padded,
        &format!("{good}.x"),
        &format!(" {good}"),
    ] {
        assert_eq!(
            publish(&with_secret(), bad),
            "the token is malformed",
            "{bad:?}"
        );
    }
    for claims in [
        "",
        "[]",
        "null",
        "{",
        r#"{"exp":"soon"}"#,
        r#"{"exp":2000000000,"exp":1}"#,
        r#"{"exp":1e999}"#,
        r#"{"arcly":7}"#,
    ] {
        assert_eq!(
            publish(&with_secret(), forge(HEADER, claims)),
            "the token is malformed",
            "{claims:?}"
        );
    }
    let critical = forge(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}");
    assert_eq!(
        publish(&with_secret(), critical),
        "the token has extensions that are not supported"
    );
    let long = forge(
        HEADER,
        &" ".repeat(JwtAuthenticator::DEFAULT_MAX_TOKEN_BYTES),
    );
    assert_eq!(publish(&with_secret(), long), "the token is too long");
}

#[test]
fn keys_are_replaced_without_a_gap() {
    let key = |secret: &str| JwtKey::hs256(secret.repeat(32)).unwrap();
    let signer = |secret: &str| JwtSigner::new(JwtAlgorithm::Hs256, secret.repeat(32)).unwrap();
    let keys = [key("o").with_id("old"), key("n").with_id("new"), key("u")];
    let both = JwtAuthenticator::new(keys)
        .unwrap()
        .clock(TimeSource::from_fn(|| at(NOW)));
    for token in [
        signer("o"),
        signer("n"),
        signer("u"),
        signer("o").with_id("old"),
        signer("n").with_id("new"),
        signer("u").with_id("x"),
    ] {
        assert_eq!(publish(&both, token.sign(&claims())), "ok");
    }
    assert_eq!(
        publish(&both, signer("o").with_id("new").sign(&claims())),
        "the token's signature is wrong"
    );
    let named = JwtAuthenticator::new([key("o").with_id("old")])
        .unwrap()
        .clock(TimeSource::from_fn(|| at(NOW)));
    let answer = publish(&named, signer("o").with_id("new").sign(&claims()));
    assert_eq!(answer, "the token's algorithm or key is not accepted");
}

#[test]
fn weak_and_wrong_keys_are_refused() {
    let error = |key: Result<JwtKey, JwtKeyError>| key.map(drop).unwrap_err();
    let short = JwtKeyError::SecretTooShort {
        algorithm: JwtAlgorithm::Hs256,
        min: 32,
        actual: 6,
    };
    assert_eq!(error(JwtKey::hs256("s3cret")), short);
    assert_eq!(
        error(JwtKey::public_key_pem(JwtAlgorithm::Rs256, RSA_1024)),
        JwtKeyError::RsaTooShort { bits: 1_024 }
    );
    for (algorithm, pem) in [
        (JwtAlgorithm::Es256, P384),
        (JwtAlgorithm::Es384, P256),
        (JwtAlgorithm::Es256, RSA),
        (JwtAlgorithm::Rs256, P256),
        (JwtAlgorithm::EdDsa, P256),
        (JwtAlgorithm::Ps512, ED25519),
        (JwtAlgorithm::Hs256, RSA),
    ] {
        let wrong = error(JwtKey::public_key_pem(algorithm, pem));
        assert!(
            matches!(wrong, JwtKeyError::WrongKind { .. }),
            "{algorithm}: {wrong}"
        );
    }
    assert!(matches!(
        error(JwtKey::secret(JwtAlgorithm::Rs256, SECRET)),
        JwtKeyError::WrongKind { .. }
    ));
    for pem in [
        "",
        "x",
        SECRET,
        &RSA.replace("PUBLIC", "PRIVATE"),
        &P256[..100],
        &ED25519.replace("iz6tH", "iz6tI="),
    ] {
        assert_eq!(
            error(JwtKey::public_key_pem(JwtAlgorithm::Es256, pem)),
            JwtKeyError::Malformed,
            "{pem}"
        );
    }
    // RFC 8410, section 4, but with 31 bytes of key.
    let der = [
        &[
            0x30, 0x29, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x20, 0x00,
        ][..],
        &[7; 31],
    ]
    .concat();
    let base64 = base64::engine::general_purpose::STANDARD.encode(der);
    let short = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    assert_eq!(
        error(JwtKey::public_key_pem(JwtAlgorithm::EdDsa, &short)),
        JwtKeyError::Malformed
    );
    assert_eq!(JwtAuthenticator::new([]).map(drop), Err(JwtKeyError::NoKey));
    let many = std::iter::repeat_with(|| JwtKey::hs256(SECRET).unwrap());
    assert_eq!(
        JwtAuthenticator::new(many).map(drop),
        Err(JwtKeyError::TooManyKeys { max: 16 })
    );
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?} {:?}", with_secret(), signer());
    assert!(
        !printed.contains("0123456789") && !printed.contains("48, 49"),
        "{printed}"
    );
}

proptest! {
    #[test]
    fn no_input_panics_or_gets_through(token in ".{0,200}") {
        prop_assert_ne!(publish(&with_secret(), token), "ok");
    }

    #[test]
    fn no_header_or_claims_panic(header in r#"\{"alg":"HS256"(,"[a-z]{3}":.{0,20}){0,2}\}"#, claims in r#"[\{\}\[\]:,"a-z0-9.-]{0,60}"#) {
        publish(&with_secret(), forge(&header, &claims));
    }

    #[test]
    fn a_changed_token_does_not_get_through(place in 0_usize..200, byte in "[A-Za-z0-9_.-]") {
        let token = signer().sign(&claims());
        let place = place % token.len();
        let mut changed = token.clone();
        changed.replace_range(place..=place, &byte);
        prop_assume!(changed != token);
        prop_assert_ne!(publish(&with_secret(), changed), "ok");
    }
}
