//! Paths: §7.3, §7.6, §7.9, §12.4.2.

use super::*;

/// Paths: §7.3, §7.6, §7.9, §12.4.2.
pub fn paths() -> Vec<Kind> {
    vec![
        broken("path's leaf from a KeyPackage", "§7.3", |c| {
            with_leaf(c, |leaf| leaf.source = Source::KeyPackage(now_s() - 1, now_s() + 1_000))
        }),
        broken("path's leaf from an Update", "§7.3", |c| with_leaf(c, |leaf| leaf.source = Source::Update)),
        broken("path's leaf's signature", "§7.3", |c| {
            edited(c, &path(), |commit| commit.path.as_mut().unwrap().0.signature[1] ^= 1)
        }),
        broken("path's leaf signed for another place", "§7.2", |c| {
            let seed = c.seed_of(EVE as u32);
            edited(c, &path(), |commit| {
                let (leaf, _) = commit.path.as_mut().unwrap();
                *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, OTHER);
            })
        }),
        broken("path's leaf keeps its encryption key", "§12.4.2", |c| {
            let key = c.leaf(EVE as u32).encryption_key;
            with_leaf(c, |leaf| leaf.encryption_key = key)
        }),
        broken("path's leaf has another's encryption key", "§7.3", |c| {
            let key = c.leaf(OTHER).encryption_key;
            with_leaf(c, |leaf| leaf.encryption_key = key)
        }),
        broken("path's leaf has another's signature key", "§7.3", |c| {
            let (key, seed) = (c.leaf(OTHER).signature_key, c.seed_of(OTHER));
            edited(c, &path(), |commit| {
                let (leaf, _) = commit.path.as_mut().unwrap();
                leaf.signature_key = key;
                *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, EVE as u32);
            })
        }),
        broken("parent hash of the leaf", "§7.9.2", |c| {
            with_leaf(c, |leaf| {
                if let Source::Commit(hash) = &mut leaf.source {
                    hash[0] ^= 1;
                }
            })
        }),
        broken("parent hash of the leaf empty", "§7.9.2", |c| {
            with_leaf(c, |leaf| leaf.source = Source::Commit(vec![]))
        }),
        broken("path's leaf lacks the required extension", "§7.3", |c| {
            with_leaf(c, |leaf| leaf.capabilities[2].clear())
        }),
        unsealed("path's leaf lacks SelfRemove", "§11.1", |c| with_leaf(c, |leaf| leaf.capabilities[3].clear())),
        broken("path's leaf lacks its credential's type", "§7.2", |c| {
            with_leaf(c, |leaf| leaf.capabilities[4] = vec![0, 2])
        }),
        broken("path's leaf lacks the group's suite", "§11.1", |c| {
            with_leaf(c, |leaf| leaf.capabilities[1] = vec![0, 3])
        }),
        broken("path's leaf lacks the group's version", "§11.1", |c| {
            with_leaf(c, |leaf| leaf.capabilities[0] = vec![0, 9])
        }),
        broken("path's leaf extension that its capabilities lack", "§7.2", |c| {
            with_leaf(c, |leaf| leaf.extensions = typed(0xF777, &vec(b"x")))
        }),
        broken("path's leaf with an x509 credential", "§7.3", |c| {
            with_leaf(c, |leaf| {
                leaf.credential_type = 2;
                leaf.capabilities[4].extend([0, 2]);
            })
        }),
        unsealed("path's leaf with another credential", "§7.3", |c| {
            with_leaf(c, |leaf| leaf.identity = b"eve".to_vec())
        }),
        broken("path one node short", "§7.6", |c| with_nodes(c, |nodes| drop(nodes.pop()))),
        broken("path one node long", "§7.6", |c| with_nodes(c, |nodes| nodes.push(nodes[0].clone()))),
        broken("path empty", "§7.6", |c| with_nodes(c, Vec::clear)),
        broken("path's node has a leaf's key", "§12.4.2", |c| {
            let key = c.leaf(OTHER).encryption_key;
            with_nodes(c, |nodes| nodes[0].0 = key)
        }),
        broken("path's nodes share a key", "§12.4.2", |c| with_nodes(c, |nodes| nodes[1].0 = nodes[0].0.clone())),
        broken("path's node has another key", "§7.9.2", |c| {
            let key = c.random(32);
            with_nodes(c, |nodes| nodes[0].0 = key)
        }),
        broken("path's node's key is no key", "§7.9.2", |c| with_nodes(c, |nodes| nodes[0].0 = vec![1, 2])),
        broken("path's leaf's key is no key", "§10", |c| with_leaf(c, |leaf| leaf.encryption_key = vec![1, 2])),
        broken("path's leaf's key zero", "§10", |c| with_leaf(c, |leaf| leaf.encryption_key = vec![0; 32])),
        broken("path secrets too few", "§7.6", |c| with_nodes(c, |nodes| drop(nodes.last_mut().unwrap().1.pop()))),
        broken("path secrets too many", "§7.6", |c| {
            with_nodes(c, |nodes| {
                let last = nodes.last_mut().unwrap();
                last.1.push(last.1[0].clone());
            })
        }),
        broken("path secrets garbage", "§7.6", |c| {
            with_nodes(c, |nodes| nodes.iter_mut().flat_map(|node| &mut node.1).for_each(|(_, text)| text[0] ^= 1))
        }),
        broken("path secrets' KEM output garbage", "§7.6", |c| {
            with_nodes(c, |nodes| nodes.iter_mut().flat_map(|node| &mut node.1).for_each(|(enc, _)| *enc = vec![0; 32]))
        }),
        broken("path secrets empty", "§7.6", |c| {
            with_nodes(c, |nodes| nodes.iter_mut().flat_map(|node| &mut node.1).for_each(|(_, text)| text.clear()))
        }),
        broken("path that forgets who is gone", "§7.6", |c| {
            let body = c.commit(&path()).content.body;
            let old = Commit::decode(&body).unwrap();
            edited(c, &removing(OTHER), |commit| commit.path = old.path)
        }),
    ]
}
