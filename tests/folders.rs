//! The folders that an app gives: what has to be outside the store is, and a mistake leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::Path;

use menshen::{Error, FileKeys, Menshen, Policy, Store};

fn open(store: &Path, keys: &Path) -> Result<Menshen, Error> {
    let policy = Policy::read(include_bytes!("policies/minimal.json")).unwrap();
    Menshen::open(policy, Store::at(store)?, FileKeys::at(keys)?)
}

fn code(result: Result<impl Sized, Error>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

#[test]
fn keys_inside_the_store_are_refused_and_the_way_out_that_is_told_works() {
    for inside in ["store", "store/keys", "store/private/keys"] {
        let place = tempfile::tempdir().unwrap();
        let store = place.path().join("store");
        assert_eq!(code(open(&store, &place.path().join(inside))), "inside-store", "{inside}");
        assert_eq!(fs::read_dir(&store).unwrap().count(), 0, "{inside}: nothing of ours stays there");
        assert_eq!(code(open(&store, &place.path().join("keys"))), "ok", "{inside}");
    }
}

#[test]
fn denials_are_marked_outside_the_store_or_the_folder_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (folder, keys) = (place.path().join("store"), place.path().join("keys"));
    for inside in ["store", "store/markers"] {
        let marking = Store::at(&folder).unwrap().marking_denials_in(&[place.path().join(inside)]);
        assert_eq!(code(marking), "inside-store", "{inside}");
    }
    assert_eq!(code(open(&folder, &keys)), "ok", "the folder is as it was");
    let beside = Store::at(&folder).unwrap().marking_denials_in(&[place.path().join("markers")]);
    assert_eq!(code(beside), "ok");
}

#[cfg(unix)]
#[test]
fn a_link_into_the_store_is_inside_it() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    drop(open(&store, &place.path().join("keys")).unwrap());
    fs::create_dir(store.join("hidden")).unwrap();
    fs::write(store.join("hidden/file"), b"somebody's").unwrap();
    std::os::unix::fs::symlink(store.join("hidden"), place.path().join("link")).unwrap();
    assert_eq!(code(open(&store, &place.path().join("link"))), "inside-store");
    assert_eq!(fs::read(store.join("hidden/file")).unwrap(), b"somebody's");
}
