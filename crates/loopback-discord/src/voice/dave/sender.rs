//! The external sender: how a voice server, which is no member of the MLS group, proposes who is added and who removed.
//!
//! Source: <https://daveprotocol.com/#external-sender>.

use openmls::group::{GroupEpoch, GroupId};
use openmls::key_packages::KeyPackageIn;
use openmls::messages::external_proposals::ExternalProposal;
use openmls::prelude::tls_codec::{DeserializeBytes, Serialize, VLBytes};
use openmls::prelude::{
    BasicCredential, Ciphersuite, ExternalSender, LeafNodeIndex, MlsMessageOut, OpenMlsProvider,
    ProtocolVersion, SenderExtensionIndex,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use super::DaveError;

/// The cipher suite of version 1 of the protocol.
const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256;

/// A change that is proposed.
#[derive(Debug)]
pub(super) enum Proposal<'a> {
    /// Add whose key package this is.
    Add(&'a [u8]),
    /// Remove the member at this place in the tree.
    Remove(LeafNodeIndex),
}

/// The external sender of one group.
pub(super) struct Sender {
    keys: SignatureKeyPair,
    provider: OpenMlsRustCrypto,
    /// What is sent with opcode 25.
    pub(super) package: Vec<u8>,
}

impl Sender {
    pub(super) fn new() -> Result<Self, DaveError> {
        let keys = SignatureKeyPair::new(CIPHERSUITE.signature_algorithm()).map_err(DaveError::new)?;
        let credential = BasicCredential::new(b"loopback".to_vec());
        let sender = ExternalSender::new(keys.public().into(), credential.into());
        let package = sender.tls_serialize_detached().map_err(DaveError::new)?;
        Ok(Self {
            keys,
            provider: OpenMlsRustCrypto::default(),
            package,
        })
    }

    /// A list of one proposal for the group `group` in its epoch `epoch`, as opcode 27 carries it.
    pub(super) fn propose(
        &self,
        proposal: &Proposal<'_>,
        group: u64,
        epoch: u64,
    ) -> Result<Vec<u8>, DaveError> {
        let group = GroupId::from_slice(&group.to_be_bytes());
        let (epoch, place) = (GroupEpoch::from(epoch), SenderExtensionIndex::new(0));
        let message: MlsMessageOut = match proposal {
            Proposal::Add(package) => {
                let package = KeyPackageIn::tls_deserialize_exact_bytes(package).map_err(DaveError::new)?;
                let package = package.validate(self.provider.crypto(), ProtocolVersion::Mls10);
                let package = package.map_err(DaveError::new)?;
                ExternalProposal::new_add::<OpenMlsRustCrypto>(package, group, epoch, &self.keys, place)
                    .map_err(DaveError::new)?
            }
            Proposal::Remove(leaf) => {
                ExternalProposal::new_remove::<OpenMlsRustCrypto>(*leaf, group, epoch, &self.keys, place)
                    .map_err(DaveError::new)?
            }
        };
        let message = message.tls_serialize_detached().map_err(DaveError::new)?;
        VLBytes::new(message)
            .tls_serialize_detached()
            .map_err(DaveError::new)
    }
}

/// Where a commit ends and the welcome that follows it begins, as opcode 28 carries them.
pub(super) fn split_commit(bytes: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), DaveError> {
    let (_, rest) = openmls::prelude::MlsMessageIn::tls_deserialize_bytes(bytes).map_err(DaveError::new)?;
    let commit = bytes[..bytes.len() - rest.len()].to_vec();
    Ok((commit, (!rest.is_empty()).then(|| rest.to_vec())))
}
