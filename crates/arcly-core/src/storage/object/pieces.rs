//! The stored pieces of an unfinished object.

use super::keys::Item;
use super::store::{Doing, Store};
use super::upload::{MAX_PARTS, Upload};
use crate::{Result, StreamError};
use std::ops::Range;

/// Makes `object` of the pieces of `id`, whose sizes are given, unless the name is taken. Reads them one by one, so it takes time, and
/// the memory of a part and two pieces.
pub(super) async fn assemble(store: &Store, id: u64, sizes: &[u64], object: &str) -> Result<()> {
    let doing = Doing("assembling", object);
    let key = store.keys.object(object)?;
    if store.size(doing, &key).await?.is_some() {
        return Err(StreamError::StorageExists(object.to_owned()));
    }
    let total: u64 = sizes.iter().sum();
    // Larger parts where there would be too many.
    let part_bytes = usize::try_from(total.div_ceil(MAX_PARTS - 1)).unwrap_or(usize::MAX);
    let mut upload = Upload::new(key, part_bytes.max(store.config.part_bytes));
    for (number, size) in (0..).zip(sizes) {
        let piece = store.keys.item(id, Item::Piece(number))?;
        let pushed = match store.read(doing, &piece, 0..*size).await {
            Ok(piece) => upload.push(store, doing, piece).await,
            Err(error) => Err(error),
        };
        if let Err(error) = pushed {
            upload.abort(store, doing).await;
            return Err(error);
        }
    }
    upload.finish(store, doing).await
}

/// Whether `object` consists of just these pieces: then it was made of them, by somebody who could not remove them any more.
pub(super) async fn are_in(store: &Store, id: u64, sizes: &[u64], object: &str) -> Result<bool> {
    let doing = Doing("comparing", object);
    let key = store.keys.object(object)?;
    if store.size(doing, &key).await? != Some(sizes.iter().sum()) {
        return Ok(false);
    }
    let mut start = 0;
    for (number, size) in (0..).zip(sizes) {
        let piece = store.keys.item(id, Item::Piece(number))?;
        let piece = store.read(doing, &piece, 0..*size).await?;
        if store.read(doing, &key, start..start + size).await? != piece {
            return Ok(false);
        }
        start += size;
    }
    Ok(true)
}

/// Removes all there is of `id`: its name first, so that nobody takes what is left of it, if this is cut short, for an object.
pub(super) async fn remove(
    store: &Store,
    doing: Doing<'_>,
    id: u64,
    pieces: Range<u64>,
) -> Result<()> {
    let name = store.keys.item(id, Item::Name)?;
    store.remove(doing, vec![name]).await?;
    let rest = pieces
        .map(Item::Piece)
        .chain([Item::Alive, Item::Claim])
        .map(|item| store.keys.item(id, item))
        .collect::<Result<_>>()?;
    store.remove(doing, rest).await
}
