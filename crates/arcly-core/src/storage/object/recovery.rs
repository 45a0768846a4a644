//! Finishing what writers that are gone have left.

use super::super::{MAX_OBJECT_BYTES, ObjectInfo, recovered_name, validate_object};
use super::keys::Item;
use super::pieces;
use super::store::{Doing, Store};
use super::writers::Owner;
use crate::{Result, StreamError};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::SystemTime;
use tracing::{info, warn};

/// What is stored of an unfinished object.
#[derive(Debug, Default)]
struct Leftover {
    /// With their sizes.
    items: BTreeMap<Item, u64>,
    /// When any of it was last written.
    touched: Option<SystemTime>,
}

/// Makes objects of all that is left of writers that are gone.
pub(super) async fn recover(store: &Store) -> Result<Vec<ObjectInfo>> {
    let mut recovered = Vec::new();
    for (id, leftover) in find(store).await? {
        let owner = store.writers.owner(id);
        if !is_orphan(store, owner, &leftover) || !store.writers.take(id) {
            continue;
        }
        let found = recover_one(store, id, owner, &leftover).await;
        match (&found, owner) {
            // To be tried again, as soon as somebody asks.
            (Err(_), Some(owner)) => store.writers.set(id, owner),
            _ => store.writers.forget(id),
        }
        match found {
            Ok(Some(found)) => {
                let (object, bytes) = (&found.object, found.bytes);
                info!(object, bytes, "recovered an unfinished object");
                recovered.push(found);
            }
            Ok(None) => {}
            Err(error) => warn!(%error, "an unfinished object cannot be recovered"),
        }
    }
    recovered.sort();
    Ok(recovered)
}

/// All that is unfinished, by id.
async fn find(store: &Store) -> Result<BTreeMap<u64, Leftover>> {
    let folder = store.keys.unfinished()?;
    let mut found: BTreeMap<u64, Leftover> = BTreeMap::new();
    for meta in store.list(Doing("recovering", ""), Some(&folder)).await? {
        let Some((id, item)) = store.keys.parse_item(&meta.location) else {
            continue;
        };
        let leftover = found.entry(id).or_default();
        leftover.items.insert(item, meta.size);
        let touched = SystemTime::from(meta.last_modified);
        leftover.touched = leftover.touched.max(Some(touched));
    }
    Ok(found)
}

/// Whether nobody writes it any more, nor recovers it.
fn is_orphan(store: &Store, owner: Option<Owner>, leftover: &Leftover) -> bool {
    match owner {
        Some(Owner::Busy) => false,
        Some(Owner::Dropped) => true,
        // Another process, of which there is nothing to see but what it writes.
        None => leftover.touched.is_some_and(|touched| {
            let age = store.config.clock.now().duration_since(touched);
            age.is_ok_and(|age| age >= store.config.orphan_age)
        }),
    }
}

async fn recover_one(
    store: &Store,
    id: u64,
    owner: Option<Owner>,
    leftover: &Leftover,
) -> Result<Option<ObjectInfo>> {
    // Pieces are stored one after the other, so behind a hole there is nothing but what was being removed.
    let sizes: Vec<u64> = (0..)
        .map_while(|number| leftover.items.get(&Item::Piece(number)).copied())
        .collect();
    let bytes = sizes.iter().sum();
    let mut recovered = None;
    if leftover.items.contains_key(&Item::Name) && bytes > 0 {
        if owner.is_none() && !claim(store, id, leftover).await? {
            return Ok(None);
        }
        let object = read_name(store, id).await?;
        if let Some(object) = give_name(store, id, &sizes, object).await? {
            recovered = Some(ObjectInfo { object, bytes });
        }
    }
    let last = leftover.items.keys().next_back();
    let pieces = match last {
        Some(Item::Piece(number)) => number + 1,
        _ => 0,
    };
    let doing = Doing("recovering", "");
    if let Err(error) = pieces::remove(store, doing, id, 0..pieces).await {
        // The object is there; the next recovery sees that.
        warn!(%error, "the pieces of a recovered object could not be removed");
    }
    Ok(recovered)
}

/// Sees to it that of several processes that recover at once, one makes the object. Where two of them find an old claim at the same
/// moment, both may; then the object is there twice.
async fn claim(store: &Store, id: u64, leftover: &Leftover) -> Result<bool> {
    let doing = Doing("claiming", "");
    let key = store.keys.item(id, Item::Claim)?;
    if leftover.items.contains_key(&Item::Claim) {
        // As old as the rest, or this would be no orphan: whoever made it is gone, too.
        store.remove(doing, vec![key.clone()]).await?;
    }
    match store.put_new(doing, &key, Bytes::new().into()).await {
        Ok(()) => Ok(true),
        Err(StreamError::StorageExists(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name that the unfinished object `id` was to get.
async fn read_name(store: &Store, id: u64) -> Result<String> {
    let key = store.keys.item(id, Item::Name)?;
    let doing = Doing("recovering", key.as_ref());
    let name = store
        .read(doing, &key, 0..MAX_OBJECT_BYTES as u64 + 1)
        .await?;
    let name = String::from_utf8_lossy(&name).into_owned();
    validate_object(&name).map(|()| name)
}

/// Makes an object of the pieces, under another name where `object` is taken. `None` where it is there already.
async fn give_name(
    store: &Store,
    id: u64,
    sizes: &[u64],
    object: String,
) -> Result<Option<String>> {
    let otherwise = recovered_name(&object, id);
    for object in [&object, &otherwise] {
        let Some(_reserved) = store.writers.reserve(object) else {
            continue;
        };
        match pieces::assemble(store, id, sizes, object).await {
            Ok(()) => return Ok(Some(object.clone())),
            Err(StreamError::StorageExists(_)) => {
                if pieces::are_in(store, id, sizes, object).await? {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(StreamError::StorageExists(otherwise))
}
