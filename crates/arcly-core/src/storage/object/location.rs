//! Storages by their URL.

#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
use super::{ObjectStorage, ObjectStorageConfig};
use crate::{FsStorage, MemoryStorage, Result, StorageBackend, StreamError};
use std::io;
use std::sync::Arc;
use url::Url;

/// The storage at `location`:
///
/// | location | storage |
/// |---|---|
/// | `/path/to/folder`, `folder`, `file:///path/to/folder` | [`FsStorage`], made if needed |
/// | `memory://` | a new [`MemoryStorage`] |
/// | `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` | [`ObjectStorage`](crate::ObjectStorage) with default settings, with the features `s3`, `gcs`, `azure` |
///
/// Where a cloud's server is and who may use it comes from the environment variables that its own tools have: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`; `GOOGLE_APPLICATION_CREDENTIALS`; `AZURE_STORAGE_ACCOUNT_NAME`,
/// `AZURE_STORAGE_ACCOUNT_KEY`; or from the machine's role. For other settings there is
/// `ObjectStorage::from_url`. No request is made here.
///
/// # Errors
/// [`StreamError::Io`] where `location` says nothing of the above, or the storage cannot be opened.
pub async fn open_storage(location: &str) -> Result<Arc<dyn StorageBackend>> {
    // Not a URL, and neither is `C:\folder`.
    if !location.contains("://") {
        return Ok(Arc::new(FsStorage::open(location).await?));
    }
    let url = parse(location)?;
    match url.scheme() {
        "file" => {
            let folder = url
                .to_file_path()
                .map_err(|()| refused(&url, "is not a path on this machine"))?;
            Ok(Arc::new(FsStorage::open(folder).await?))
        }
        "memory" => Ok(Arc::new(MemoryStorage::default())),
        #[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
        _ => {
            let none: [(&str, &str); 0] = [];
            let opened = ObjectStorage::from_url(location, none, ObjectStorageConfig::default());
            Ok(Arc::new(opened.await?))
        }
        #[cfg(not(any(feature = "azure", feature = "gcs", feature = "s3")))]
        scheme => Err(refused(&url, unsupported(scheme))),
    }
}

#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
impl ObjectStorage {
    /// The storage in a cloud's bucket: `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, each with its feature.
    ///
    /// What is not in `options` comes from the environment, see [`open_storage`]. Options are named as in `object_store`: `aws_endpoint`,
    /// `aws_region`, `aws_access_key_id`, `allow_http`, `google_service_account`, `azure_storage_account_name` and so on. A request is
    /// tried again, four times and for 30 seconds at most, where that can do no harm; connecting takes 5 seconds at most, and each read 30.
    /// HTTPS is by rustls with ring, and trusts whom the operating system trusts. No request is made here.
    ///
    /// # Errors
    /// [`StreamError::Io`] where the URL or an option says nothing that is known, or something is missing.
    /// [`StreamError::InvalidObjectName`] where the prefix cannot be used.
    pub async fn from_url<K: AsRef<str>, V: Into<String>>(
        url: &str,
        options: impl IntoIterator<Item = (K, V)>,
        config: ObjectStorageConfig,
    ) -> Result<Self> {
        let url = parse(url)?;
        let (bucket, prefix) = bucket_and_prefix(&url)?;
        let (options, https) = (options.into_iter(), super::https::Https::new().await?);
        let failed = |error: object_store::Error| {
            StreamError::io(format!("opening {url}"), io::Error::other(error))
        };
        macro_rules! build {
            ($builder:ty, $with_name:ident) => {{
                let mut builder = <$builder>::from_env()
                    .$with_name(bucket)
                    .with_http_connector(https)
                    .with_retry(super::https::retries());
                for (key, value) in options {
                    let key = key.as_ref().parse().map_err(failed)?;
                    builder = builder.with_config(key, value);
                }
                Arc::new(builder.build().map_err(failed)?)
            }};
        }
        let store: Arc<dyn object_store::ObjectStore> = match url.scheme() {
            #[cfg(feature = "s3")]
            "s3" => build!(object_store::aws::AmazonS3Builder, with_bucket_name),
            #[cfg(feature = "gcs")]
            "gs" => build!(
                object_store::gcp::GoogleCloudStorageBuilder,
                with_bucket_name
            ),
            #[cfg(feature = "azure")]
            "az" => build!(
                object_store::azure::MicrosoftAzureBuilder,
                with_container_name
            ),
            scheme => return Err(refused(&url, unsupported(scheme))),
        };
        Self::new(store, &prefix, config)
    }
}

/// What `s3://bucket/prefix` and its like name.
#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
fn bucket_and_prefix(url: &Url) -> Result<(&str, String)> {
    let bucket = url.host_str().unwrap_or_default();
    if bucket.is_empty() {
        return Err(refused(url, "names no bucket"));
    }
    // Secrets in URLs end up in logs; and what is not understood is not ignored.
    if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
        return Err(refused(url, "names more than a bucket and a prefix"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(url, "has parameters, which mean nothing here"));
    }
    let prefix = object_store::path::Path::from_url_path(url.path())
        .map_err(|_| refused(url, "has a prefix that cannot be used"))?;
    Ok((bucket, prefix.to_string()))
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|error| {
        StreamError::io(
            "reading the URL of a storage",
            io::Error::new(io::ErrorKind::InvalidInput, error),
        )
    })
}

/// Why a scheme is refused.
fn unsupported(scheme: &str) -> &'static str {
    match scheme {
        "s3" => "needs the feature s3",
        "gs" => "needs the feature gcs",
        "az" => "needs the feature azure",
        _ => "has a scheme that is not known",
    }
}

fn refused(url: &Url, reason: &'static str) -> StreamError {
    StreamError::io(
        format!(
            "opening the storage at {}://{}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        ),
        io::Error::new(io::ErrorKind::InvalidInput, format!("the URL {reason}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(location: &str) -> String {
        match open_storage(location).await.map(drop) {
            Err(StreamError::Io { source, .. }) => source.to_string(),
            other => panic!("{location}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn folders_are_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b");
        for location in [
            path.to_str().unwrap().to_owned(),
            Url::from_file_path(&path).unwrap().to_string(),
        ] {
            let storage = open_storage(&location).await.unwrap();
            storage.put("x", location.clone().into()).await.unwrap();
            assert_eq!(std::fs::read_to_string(path.join("x")).unwrap(), location);
        }
        let memory = open_storage("memory://").await.unwrap();
        assert!(!memory.exists("x").await.unwrap());
    }

    #[tokio::test]
    async fn what_is_not_understood_is_refused() {
        assert!(refusal("ftp://host/x").await.contains("scheme"));
        assert!(refusal("http//://").await.contains("URL"));
        assert!(refusal("file://elsewhere/x").await.contains("this machine"));
        #[cfg(not(any(feature = "azure", feature = "gcs", feature = "s3")))]
        assert!(refusal("s3://bucket/x").await.contains("feature s3"));
    }

    #[cfg(all(feature = "s3", feature = "gcs", feature = "azure"))]
    #[tokio::test]
    async fn clouds_are_named_by_bucket_and_prefix() {
        assert!(refusal("s3:///x").await.contains("bucket"));
        for url in [
            "s3://id:secret@bucket/x",
            "s3://bucket:1/x",
            "gs://bucket/x?endpoint=y",
        ] {
            assert!(!refusal(url).await.contains("secret"), "{url}");
        }
        let config = ObjectStorageConfig::default;
        let options = [
            ("aws_region", "eu-west-1"),
            ("aws_access_key_id", "id"),
            ("aws_secret_access_key", "secret"),
        ];
        let s3 = ObjectStorage::from_url("s3://bucket/a%20b/c/", options, config())
            .await
            .unwrap();
        assert_eq!(s3.store.keys.object("x").unwrap().as_ref(), "a b/c/x");
        let azure = [
            ("azure_storage_account_name", "account"),
            ("azure_storage_account_key", "a2V5"),
        ];
        ObjectStorage::from_url("az://container", azure, config())
            .await
            .unwrap();
        let gcs = [("google_skip_signature", "true")];
        ObjectStorage::from_url("gs://bucket", gcs, config())
            .await
            .unwrap();
        let unknown =
            ObjectStorage::from_url("s3://bucket", [("aws_colour", "red")], config()).await;
        assert!(unknown.is_err());
    }
}
