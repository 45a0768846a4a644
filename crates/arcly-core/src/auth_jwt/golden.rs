//! Tokens and public keys of other implementations.
//!
//! Tokens: PyJWT 2.15.1, `jwt.encode({"exp": 2000000000, "arcly": [{"action": "publish", "path": "live/cam1"}]}, key, algorithm=...)`. Keys: OpenSSL
//! 3.0, `openssl genpkey`, `openssl pkey -pubout`. The private keys were thrown away.

use super::JwtAlgorithm;

/// The secrets of the HMAC tokens are this, as long as they have to be.
pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(super) const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAs71V0AfqKO2LJK+Hh5Ih
z4MJo3z0Z98n2F+gPRKIykw7RIQrWyfCdFrB/tlZo5dlrmKr5Z8H27jvbr4yc1gW
C1xFePgEmpb7C9OInSK/oRhm9whOSqz1aWGYqFEvMdkU7vBP0Ivy8o7sK6Cw3pVr
EXfwmdWgkoPAmR1FwjtsiRA0ZCcTTuyYbITORLrPhArHBCB8vxbMHIn906IIvcI/
7Fnm0l0Jx6BpWPyhvk0Gzgewdd1kAj1uxKqOggr3I36gPCj5M40IgAK8Y2aheOKK
0BF+dgW2lPUoqZCMe/Nh02Ecx3g9IL4PEqIuQ02Ot3gZIXlfPIXKI2yWctj9x87B
8QIDAQAB
-----END PUBLIC KEY-----
";

pub(super) const RSA_1024: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1pFX2zO0shp8BIhwItbbp6boB
Q2NAYUWkcw+c3JdXEOoEaDZH9huzcSblOq3DKFFodk8PsRAxDxiOv0dOBrGZ6k5z
qngKaO6ErEKXYaZXScoRTT+SwCAXliCsmzJKbzZlaxZTeBrRnVWZh9WUV5LP07sn
Qh9OHsMkEfISLWRfzQIDAQAB
-----END PUBLIC KEY-----
";

pub(super) const P256: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIdFWXb1Txd+/cxJXlu+VLpLbfbFN
oSFCxM28DPE+Wc5ZVDz2AurGHSUxLYzfxQxo6qmFQsikiaJVfZbGWuOPdw==
-----END PUBLIC KEY-----
";

pub(super) const P384: &str = "\
-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEAstLCIDPrlkYxW4Lj1sV/UKjn86juPHo
PMyJ3YtNfVaezV3URXB0XY8HBYbfJdpVLfWyJ+T54E3gKZw4fRuoarKyvOzHeI61
Nw7ULmIhgPf8b3FxOcRRvS6ZcrwE1O+O
-----END PUBLIC KEY-----
";

pub(super) const ED25519: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAiz6tHtLacuqJ6+8INvjjp7Hf2nZZXrZJS1UPcz4DnYg=
-----END PUBLIC KEY-----
";

/// Algorithm, key, token.
pub(super) const TOKENS: &[(JwtAlgorithm, &str, &str)] = &[
    (
        JwtAlgorithm::Hs256,
        SECRET,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.N5go9_0IZyDVRv2cv7isUIoRl5htmpgAFNhSrh0Mog8",
    ),
    (
        JwtAlgorithm::Hs384,
        SECRET,
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.3nKhFvyFuQZ201NPXpZLG5fxNcN4_FpfIRMUGHh2v6U5b0ax_RXpVW_W6XznLjvh",
    ),
    (
        JwtAlgorithm::Hs512,
        SECRET,
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.NGpLQQeSl_5mozT1rkann0yq3_20m8VHyr-XPU1GNQxILXY-7L54i80Yaykd21H86G7NuMvrB5kOm9UkQHix3Q",
    ),
    (
        JwtAlgorithm::Rs256,
        RSA,
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.IlUB7XW35l6IsQaICjuWhumpCNo3BbkjSbyAijIzh2V8gyEvqOFL6k6qxhhOjLSJUY4s7L14N_w5ahFiRjJMx0W0RwvgBl34AjFMhr8BIqRHf2qAdrmIhokriAx12BKXubzwKziIGVKlPQz26a_4_WmohIDqqSg25_8V8jAb4MlZ5XlQ81VVnd0R1SfH4XX-bqCst32b1HCnkjBJBs36HW2dQsw2e8QIcmIRdJ9D7rxXHsrfYUctmEOHJAOZIc_5Vq5TOxjfdVafWxGeuqMTv1mtcDdBdA0H4k1mdUC_GU_b25kKa_QnT9MIaM3yGU2jkoGle2a_RsKcOdAKM6ZLIg",
    ),
    (
        JwtAlgorithm::Rs384,
        RSA,
        "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.XBKfsDRiChZhgOQOIMbEGAjvKQqzTWrpYIBL9alcsSxvwCrl2dA3YX6N8H2noKZiqPmnhy_T8zt4PjeMMXV01wm7uqK0f1_3GTwX5xvp293W4fvxtXBM_jRtNQC6GZejxwvIOAPGFN8V1JWCnDqzDykuNqOsROKWa6ELc4mo4ec3WobYJoMRj89wOMOQRoXQewYTY7lzvgGHBsLc2y3yAk3aEpcZ97DDBxrudEaPfMnPI6WmOdFDfSfno8d2gluhruDqikxhOoJt7_pY5rOS7PNMHzFK9JTwLg1ZHhWM2jQbiDO6YhpZzbbkqQXi1eXrpz7aw3X3MatCuEksSbngpg",
    ),
    (
        JwtAlgorithm::Rs512,
        RSA,
        "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.PSVd61wNUnB7rksrWqCBqrLo7am7DmvKYsutyKB04ZrG8_QJj8MEyK6FnUzNTxcSs0mTUDGwTcbOgTDE2iACEjv7U2JYdj2RvA-LR1X3nejNSt9Kx0fkg6QHbuo5w6EZQOOnSgsXVsLfwv2tkjJF8NR4a90HKP_kOL53dmhTAym3b7Y9p5RwT_fxvGv0PXhtxGOyrg6B0UQD7a9wcqyQu-Go7kgTztzeN3uctdpueSsf7bxTXnbkbiaYH8vuzL1yI11ALjBk_P6Vd8KbqL49OfC6fhM7MXRb1Ns22zS6I3CdZW8MaMW1nJhAS4GwZiQcuE-oc8ititLtUfU2dqPLHA",
    ),
    (
        JwtAlgorithm::Ps256,
        RSA,
        "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.HxpQ6zj6iEVK4w74Aes5DOTCPCv824LlGfAEwS07WhQrmEWJknFqfItWQD-sgdK1KFL7I4KQd8uwYvN9Xlmn5Q5vrJBplpCRB2W49LPsUCF3gb2HbRzcEQ-qCW1CWxj_7dZPXuinf0kHQlHBpDt32gVC05imzHtt84Zj1YWj1QsBYl0_DdyxpoKdrrjMvklfz7fZw1X-NoNxPxC-7XyQAdNBNQfZleVeqagNJYFJXF-lsA0-cd-D6DJKnWmwIgyV94MvBBmbKNZ_2ItEGIUGYYWOjik5CfnKXLHbFIKHS19DkSmNOMmVOY0RaWHlY3T9fo2eDx3FutkzxCy6r9OJeQ",
    ),
    (
        JwtAlgorithm::Ps384,
        RSA,
        "eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.aECmvGaiD2V1zL7AyaysVA41eIynqGmzFFf2K4db_lnuzs5o9qdu2V18mcj42Dx_GRxYn6EkmXVCTkYmuuxfwQ7mCHZgdtwHKEQr9zQQakhWCmOBFve5eGmCSvLLQLLRmyLTFrf26Rx5OBETSv1tkqGEmHBJGhKmZ7sEHQwEawcCj7HgeY8sZyPo69klrsaKpNQkFND5WuJleaWTlQ9B3hy7u8y8oLkCFZKQsxqepcrtvFTIOV7X4wPkG9ocmhzbGxxzJf0X6YB7EHvDq7X_K0B57VfSxHw_d21VH8sP8NrZBib1oczHZaZRHEhSpnAqWHm_j6M4_lzZJ0XMprNEUQ",
    ),
    (
        JwtAlgorithm::Ps512,
        RSA,
        "eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.Yzt2FvMzjJbq1XBytQwE3V-vhhAv0Yq5IcuVmis9Lq2dh7Fe9PWHmYMv8JPn6QaXYewv-GUQX-bVTqCDYXBdMQ96cA_WvHAtk7RB0I6x9He7Sx1HRj65semi6icZmGXwKya1HjTjt_liAxJRNZfdtQu4j539BUJgWo-qnyoarad8WpD8-Uj7_KO8ErcFPnkrvmy-zGoHsyySPcw_aNs0AV-Nr-FVpXGSja6JzlrGL7UAcdct503F6WUhFVvZoIr7o2Ttx6JPsbMOpGjEZVSQy7rQ6Z6yRZpX42UL3SVc8qgUxs1PqTHtnYHvv2lxhx1dD8UIPcsaaeUGKVYE54qNIQ",
    ),
    (
        JwtAlgorithm::Es256,
        P256,
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.E99Tv25lm02Q8-JWm1kYoVEi_f71bkC9KzbVO0Io82bJ9yE0qXRCIPtmyDVk7mN998JWyf4zZtV1DmNBXyoAKg",
    ),
    (
        JwtAlgorithm::Es384,
        P384,
        "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.-KNW19oNGAYC4AlcZOGNrakdw9TEJBOGhydvrBhs_p7xX2fO64nE18XCLWKF0BVoOu_mdi5hDImV3NarcWcCn-TbjiLagxB-Ws103QGW25Eue84eCGSOlReTNEFI8wjM",
    ),
    (
        JwtAlgorithm::EdDsa,
        ED25519,
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJleHAiOjIwMDAwMDAwMDAsImFyY2x5IjpbeyJhY3Rpb24iOiJwdWJsaXNoIiwicGF0aCI6ImxpdmUvY2FtMSJ9XX0.MjKz6tdeAYHKl6vLbY-2Yf2BubK8I1y8YR3_4JlKzIjkRqFdwRqw4bUoO2CxvcX7HRa1sy3Vd05AQ06m9FyiCg",
    ),
];
