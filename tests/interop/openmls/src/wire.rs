//! MLS's encoding (RFC 9420 §2.1), as far as messages are taken apart, changed and signed again here. Written apart
//! from both libraries, so that it can say what neither of them would.

use mls_rs_core::crypto::CipherSuiteProvider;
use qpqnative::mls::device::signer;
use qpqnative::mls::suite::{SUITE_1, provider};

/// Content types (RFC 9420 §6).
pub const PROPOSAL: u8 = 2;
pub const COMMIT: u8 = 3;

/// A length as a variable-size integer (RFC 9000 §16, up to 2^30).
fn varint(length: usize) -> Vec<u8> {
    match length {
        0..=63 => vec![length as u8],
        64..=16_383 => (0x4000 | length as u16).to_be_bytes().to_vec(),
        _ => (0x8000_0000 | length as u32).to_be_bytes().to_vec(),
    }
}

/// A vector of bytes with its length before it.
pub fn vec(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len()).as_slice(), bytes].concat()
}

/// Reads from the front of bytes; what is not there is None.
#[derive(Clone)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    pub fn vec(&mut self) -> Option<&'a [u8]> {
        let first = *self.0.first()?;
        let bytes = 1_usize << (first >> 6);
        let value = self.number(bytes)? & ((1_u64 << (8 * bytes - 2)) - 1);
        self.take(value as usize)
    }
}

/// Who sends (RFC 9420 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Member(u32),
    External(u32),
    NewMemberProposal,
    NewMemberCommit,
}

impl Sender {
    fn encode(self) -> Vec<u8> {
        match self {
            Self::Member(leaf) => [&[1][..], &leaf.to_be_bytes()].concat(),
            Self::External(index) => [&[2][..], &index.to_be_bytes()].concat(),
            Self::NewMemberProposal => vec![3],
            Self::NewMemberCommit => vec![4],
        }
    }

    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        match from.number(1)? {
            1 => Some(Self::Member(from.number(4)? as u32)),
            2 => Some(Self::External(from.number(4)? as u32)),
            3 => Some(Self::NewMemberProposal),
            4 => Some(Self::NewMemberCommit),
            _ => None,
        }
    }
}

/// FramedContent, its body as bytes.
#[derive(Debug, Clone)]
pub struct Content {
    pub group_id: Vec<u8>,
    pub epoch: u64,
    pub sender: Sender,
    pub aad: Vec<u8>,
    pub kind: u8,
    pub body: Vec<u8>,
}

/// MLSMessage(PublicMessage).
#[derive(Debug, Clone)]
pub struct Public {
    pub content: Content,
    pub signature: Vec<u8>,
    pub confirmation: Option<Vec<u8>>,
    pub membership: Option<Vec<u8>>,
}

const HEAD: [u8; 4] = [0, 1, 0, 1];
/// Ed25519 signatures and SHA-256 tags, with their lengths before them.
const SIGNATURE_BYTES: usize = 66;
const TAG_BYTES: usize = 33;

impl Content {
    pub fn encode(&self) -> Vec<u8> {
        let sender = self.sender.encode();
        [&vec(&self.group_id), &self.epoch.to_be_bytes()[..], &sender, &vec(&self.aad), &[self.kind], &self.body]
            .concat()
    }

    /// FramedContentTBS (§6.1).
    fn to_be_signed(&self, context: &[u8]) -> Vec<u8> {
        let context = match self.sender {
            Sender::Member(_) | Sender::NewMemberCommit => context,
            Sender::External(_) | Sender::NewMemberProposal => &[],
        };
        [&HEAD[..], &self.encode(), context].concat()
    }
}

fn optional(bytes: Option<&Vec<u8>>) -> Vec<u8> {
    bytes.map(|bytes| vec(bytes)).unwrap_or_default()
}

impl Public {
    pub fn decode(message: &[u8]) -> Option<Self> {
        let mut from = Reader(message.strip_prefix(&HEAD[..])?);
        let (group_id, epoch) = (from.vec()?.to_vec(), from.number(8)?);
        let (sender, aad, kind) = (Sender::decode(&mut from)?, from.vec()?.to_vec(), from.number(1)? as u8);
        let membership = matches!(sender, Sender::Member(_));
        let tail = SIGNATURE_BYTES + TAG_BYTES * (usize::from(membership) + usize::from(kind == COMMIT));
        let body = from.take(from.0.len().checked_sub(tail)?)?.to_vec();
        let content = Content { group_id, epoch, sender, aad, kind, body };
        let signature = from.vec()?.to_vec();
        let confirmation = if kind == COMMIT { Some(from.vec()?.to_vec()) } else { None };
        let membership = if membership { Some(from.vec()?.to_vec()) } else { None };
        Some(Self { content, signature, confirmation, membership })
    }

    fn auth(&self) -> Vec<u8> {
        [vec(&self.signature), optional(self.confirmation.as_ref())].concat()
    }

    pub fn encode(&self) -> Vec<u8> {
        [&HEAD[..], &self.content.encode(), &self.auth(), &optional(self.membership.as_ref())].concat()
    }

    /// Signs anew and, for a member, makes the membership tag anew (§6.1, §6.2).
    pub fn seal(mut self, seed: &[u8], context: &[u8], membership_key: &[u8]) -> Self {
        self.signature = sign(seed, "FramedContentTBS", &self.content.to_be_signed(context));
        self.tag(context, membership_key)
    }

    /// Makes the membership tag anew.
    pub fn tag(mut self, context: &[u8], membership_key: &[u8]) -> Self {
        self.membership = matches!(self.content.sender, Sender::Member(_)).then(|| {
            let message = [self.content.to_be_signed(context), self.auth()].concat();
            provider(SUITE_1).unwrap().mac(membership_key, &message).unwrap()
        });
        self
    }
}

/// SignWithLabel (§5.1.2).
pub fn sign(seed: &[u8], label: &str, content: &[u8]) -> Vec<u8> {
    let (secret, _) = signer(b"", seed).unwrap();
    let content = [vec(format!("MLS 1.0 {label}").as_bytes()), vec(content)].concat();
    provider(SUITE_1).unwrap().sign(&secret, &content).unwrap()
}

/// RefHash (§5.2).
pub fn reference(label: &str, value: &[u8]) -> Vec<u8> {
    provider(SUITE_1).unwrap().hash(&[vec(label.as_bytes()), vec(value)].concat()).unwrap()
}

/// Where a leaf comes from (§7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    KeyPackage(u64, u64),
    Update,
    Commit(Vec<u8>),
}

/// LeafNode.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub encryption_key: Vec<u8>,
    pub signature_key: Vec<u8>,
    pub credential_type: u16,
    pub identity: Vec<u8>,
    /// versions, suites, extensions, proposals, credentials
    pub capabilities: [Vec<u8>; 5],
    pub source: Source,
    pub extensions: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Leaf {
    pub fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let (encryption_key, signature_key) = (from.vec()?.to_vec(), from.vec()?.to_vec());
        let (credential_type, identity) = (from.number(2)? as u16, from.vec()?.to_vec());
        let mut capabilities = <[Vec<u8>; 5]>::default();
        for list in &mut capabilities {
            *list = from.vec()?.to_vec();
        }
        let source = match from.number(1)? {
            1 => Source::KeyPackage(from.number(8)?, from.number(8)?),
            2 => Source::Update,
            3 => Source::Commit(from.vec()?.to_vec()),
            _ => return None,
        };
        let (extensions, signature) = (from.vec()?.to_vec(), from.vec()?.to_vec());
        let keys = (encryption_key, signature_key);
        let (encryption_key, signature_key) = keys;
        Some(Self {
            encryption_key,
            signature_key,
            credential_type,
            identity,
            capabilities,
            source,
            extensions,
            signature,
        })
    }

    /// The capabilities' bytes.
    pub fn capabilities(&self) -> Vec<u8> {
        self.capabilities.iter().flat_map(|list| vec(list)).collect()
    }

    fn unsigned(&self) -> Vec<u8> {
        let source = match &self.source {
            Source::KeyPackage(from, to) => [&[1][..], &from.to_be_bytes(), &to.to_be_bytes()].concat(),
            Source::Update => vec![2],
            Source::Commit(hash) => [&[3][..], &vec(hash)].concat(),
        };
        let credential = [&self.credential_type.to_be_bytes()[..], &vec(&self.identity)].concat();
        let keys = [vec(&self.encryption_key), vec(&self.signature_key)].concat();
        [keys, credential, self.capabilities(), source, vec(&self.extensions)].concat()
    }

    pub fn encode(&self) -> Vec<u8> {
        [self.unsigned(), vec(&self.signature)].concat()
    }

    /// Signs the leaf anew, for its place where it has one (LeafNodeTBS, §7.2).
    pub fn seal(mut self, seed: &[u8], group_id: &[u8], index: u32) -> Self {
        let place = match self.source {
            Source::KeyPackage(..) => vec![],
            Source::Update | Source::Commit(_) => [vec(group_id), index.to_be_bytes().to_vec()].concat(),
        };
        self.signature = sign(seed, "LeafNodeTBS", &[self.unsigned(), place].concat());
        self
    }
}

/// KeyPackage (§10).
#[derive(Debug, Clone)]
pub struct Package {
    pub version: u16,
    pub suite: u16,
    pub init_key: Vec<u8>,
    pub leaf: Leaf,
    pub extensions: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Package {
    /// Reads MLSMessage(KeyPackage).
    pub fn decode(message: &[u8]) -> Option<Self> {
        let mut from = Reader(message.strip_prefix(&[0, 1, 0, 5])?);
        let (version, suite) = (from.number(2)? as u16, from.number(2)? as u16);
        let (init_key, leaf) = (from.vec()?.to_vec(), Leaf::decode(&mut from)?);
        Some(Self { version, suite, init_key, leaf, extensions: from.vec()?.to_vec(), signature: from.vec()?.to_vec() })
    }

    fn unsigned(&self) -> Vec<u8> {
        let head = [self.version.to_be_bytes(), self.suite.to_be_bytes()].concat();
        [head, vec(&self.init_key), self.leaf.encode(), vec(&self.extensions)].concat()
    }

    /// The KeyPackage alone, as an Add proposal holds it.
    pub fn encode(&self) -> Vec<u8> {
        [self.unsigned(), vec(&self.signature)].concat()
    }

    /// Signs leaf and package anew.
    pub fn seal(mut self, seed: &[u8]) -> Self {
        self.leaf = self.leaf.seal(seed, b"", 0);
        self.signature = sign(seed, "KeyPackageTBS", &self.unsigned());
        self
    }
}

/// Commit (§12.4): proposals and references as bytes, each with its own head.
#[derive(Debug, Clone)]
pub struct Commit {
    pub proposals: Vec<u8>,
    /// Leaf, and the path's nodes as bytes.
    pub path: Option<(Leaf, Vec<u8>)>,
}

impl Commit {
    pub fn decode(body: &[u8]) -> Option<Self> {
        let mut from = Reader(body);
        let proposals = from.vec()?.to_vec();
        let path = match from.number(1)? {
            0 => None,
            1 => Some((Leaf::decode(&mut from)?, from.vec()?.to_vec())),
            _ => return None,
        };
        from.0.is_empty().then_some(Self { proposals, path })
    }

    pub fn encode(&self) -> Vec<u8> {
        let path = match &self.path {
            None => vec![0],
            Some((leaf, nodes)) => [&[1][..], &leaf.encode(), &vec(nodes)].concat(),
        };
        [vec(&self.proposals), path].concat()
    }
}
