//! External commits: §12.2, §12.4.3.2.

use super::*;

/// External commits: §12.2, §12.4.3.2.
pub fn externals() -> Vec<Kind> {
    vec![
        valid("external commit, coming back", "§12.4.3.2", |c| case(vec![], &c.external(None))),
        valid("external commit, signed again", "§12.4.3.2", |c| external(c, |_| ())),
        valid("external commit of somebody new", "§12.4.3.2", |c| {
            let new = crate::ours::Ours::new("new", crate::play::GROUP_ID, true, false);
            case(vec![], &c.external(Some(&new)))
        }),
        broken("external commit without ExternalInit", "§12.2", |c| {
            external(c, |commit| commit.proposals = split_init(&commit.proposals).1)
        }),
        broken("external commit with two ExternalInits", "§12.2", |c| {
            external(c, |commit| {
                commit.proposals = [split_init(&commit.proposals).0, commit.proposals.clone()].concat()
            })
        }),
        broken("external commit with another ExternalInit", "§12.2", |c| {
            let kem_output = c.random(32);
            external_adding(c, &external_init(&kem_output))
        }),
        broken("external commit with nothing", "§12.2", |c| external(c, |commit| commit.proposals.clear())),
        broken("external commit without a path", "§12.4", |c| external(c, |commit| commit.path = None)),
        broken("external commit with Add", "§12.2", |c| {
            let (package, _) = c.outsider(false);
            external_adding(c, &add(&package))
        }),
        broken("external commit with Update", "§12.2", |c| {
            let leaf = updated(c, OTHER, OTHER);
            external_adding(c, &update(&leaf))
        }),
        broken("external commit with two Removes", "§12.2", |c| external_adding(c, &remove(OTHER))),
        broken("external commit with one Remove twice", "§12.2", |c| external_adding(c, &remove(EVE as u32))),
        broken("external commit with a policy", "§12.2", |c| {
            let list = extensions(&context_extensions(c));
            external_adding(c, &list)
        }),
        broken("external commit with ReInit", "§12.2", |c| external_adding(c, &reinit())),
        broken("external commit with an unknown proposal", "§12.2", |c| external_adding(c, &typed(0xF0F0, &vec(b"")))),
        broken("external commit with SelfRemove by value", "§12.2", |c| external_adding(c, &SELF_REMOVE)),
        broken("external commit with a reference", "§12.2", |c| {
            let (message, reference) = c.external_remove(OTHER);
            let case = external(c, |commit| commit.proposals.extend(by_reference(&reference)));
            Case { earlier: vec![message], ..case }
        }),
        broken("external commit with an unknown reference", "§12.2", |c| {
            external(c, |commit| commit.proposals.extend(by_reference(&[7; 32])))
        }),
        broken("external commit with an unknown pre-shared key", "§12.4.2", |c| {
            let psk = external_psk(b"psk x", &c.random(32));
            external_adding(c, &psk)
        }),
        broken("external commit's Remove of a blank leaf", "§12.1.3", |c| {
            external(c, |commit| {
                commit.proposals = [split_init(&commit.proposals).0, by_value(&remove(BLANK))].concat();
            })
        }),
        broken("external commit leaves the old leaf", "§7.3", |c| {
            external(c, |commit| commit.proposals = split_init(&commit.proposals).0)
        }),
        broken("external commit signed by another key", "§12.4.3.2", |c| {
            let (public, seed) = (c.external(None), c.seed_of(OTHER));
            case(vec![], &c.seal_as(&seed, public))
        }),
        valid("external commit's KEM output garbage", "§8.3", |c| {
            external(c, |commit| {
                let rest = split_init(&commit.proposals).1;
                commit.proposals = [by_value(&external_init(&[9; 32])), rest].concat();
            })
        }),
        broken("external commit's KEM output empty", "§8.3", |c| {
            external(c, |commit| {
                let rest = split_init(&commit.proposals).1;
                commit.proposals = [by_value(&external_init(&[])), rest].concat();
            })
        }),
        broken("external commit's leaf lacks the required extension", "§7.3", |c| {
            let seed = c.seed_of(EVE as u32);
            external(c, |commit| {
                let (leaf, _) = commit.path.as_mut().unwrap();
                leaf.capabilities[2].clear();
                *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, EVE as u32);
            })
        }),
        broken("external commit's leaf's signature", "§7.3", |c| {
            external(c, |commit| commit.path.as_mut().unwrap().0.signature[0] ^= 1)
        }),
        broken("external commit's path one node short", "§7.6", |c| {
            external(c, |commit| {
                let (_, bytes) = commit.path.as_mut().unwrap();
                let mut nodes = read_nodes(bytes);
                nodes.pop();
                *bytes = write_nodes(&nodes);
            })
        }),
        broken("external commit's confirmation tag", "§12.4.2", |c| {
            let mut public = c.external(None);
            public.confirmation.as_mut().unwrap()[0] ^= 1;
            as_is(public.encode())
        }),
    ]
}
