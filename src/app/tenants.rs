//! Tenants: created with one credential for every door.

use aggregates::{
    id::TenantId,
    preferences::{self, Preferences},
    tenant::{Command, Credential, CredentialKind, Tenant},
};
use projections::tenant::TenantView;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{App, access::sha256_hex};
use crate::{
    clock,
    journal::{CommandError, Request, Streams, Unit},
};

/// A new tenant's credentials: shown once, kept as hashes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct NewTenant {
    pub tenant_id: String,
    pub billstream: ApiKey,
    pub wingback: ApiKey,
    pub exsited: ClientCredentials,
    pub chip: ChipKey,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ApiKey {
    pub api_key: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ClientCredentials {
    pub client_id: String,
    pub client_secret: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ChipKey {
    pub secret_key: String,
    pub brand_id: Uuid,
}

impl App {
    pub async fn create_tenant(&self, name: &str) -> Result<NewTenant, CommandError> {
        self.create_tenant_in(name, false, None).await
    }

    /// A tenant with a clock of its own, which stands still until it is moved.
    pub async fn create_test_tenant(&self, name: &str) -> Result<NewTenant, CommandError> {
        self.create_tenant_in(name, true, None).await
    }

    /// A tenant whose customers live in that time zone, where they name no other.
    pub async fn create_tenant_in(
        &self,
        name: &str,
        test_mode: bool,
        time_zone: Option<&str>,
    ) -> Result<NewTenant, CommandError> {
        self.make_tenant(&clock::random_tenant_id(), name, test_mode, time_zone)
            .await
    }

    /// Under an id of the caller's: whoever asks for the same one second is refused.
    pub async fn create_tenant_as(&self, id: &TenantId, name: &str) -> Result<NewTenant, CommandError> {
        self.make_tenant(id, name, false, None).await
    }

    async fn make_tenant(
        &self,
        id: &TenantId,
        name: &str,
        test_mode: bool,
        time_zone: Option<&str>,
    ) -> Result<NewTenant, CommandError> {
        let brand_id = clock::random_uuid();
        let new = NewTenant {
            tenant_id: id.to_string(),
            billstream: ApiKey {
                api_key: format!("bs_{}", clock::random_secret()),
            },
            wingback: ApiKey {
                api_key: format!("api_key_{}", clock::random_secret()),
            },
            exsited: ClientCredentials {
                client_id: clock::random_uuid().simple().to_string(),
                client_secret: clock::random_secret(),
            },
            chip: ChipKey {
                secret_key: clock::random_secret(),
                brand_id,
            },
        };
        let command = Command::Create {
            at: self.clock.now(),
            name: name.to_owned(),
            company_id: clock::random_uuid(),
            brand_id,
            test_mode,
            credentials: vec![
                credential(CredentialKind::Billstream, None, &new.billstream.api_key),
                credential(CredentialKind::Wingback, None, &new.wingback.api_key),
                credential(
                    CredentialKind::Exsited,
                    Some(&new.exsited.client_id),
                    &new.exsited.client_secret,
                ),
                credential(CredentialKind::Chip, None, &new.chip.secret_key),
            ],
        };
        let request = Request::new(id.clone(), "cli", "cli", self.clock.now());
        let streams = Streams::new().with_new::<Tenant>(id).with::<Preferences>(id);
        self.journal
            .execute(&request, streams, |unit| {
                unit.send::<Tenant>(id.as_str(), &command)?;
                time_zone.map_or(Ok(()), |time_zone| set_time_zone(unit, id.as_str(), time_zone))
            })
            .await?;
        Ok(new)
    }

    pub async fn tenant(&self, id: &TenantId) -> Result<Option<TenantView>, CommandError> {
        Ok(projections::tenant::tenant(self.journal.views(), id).await?)
    }
}

impl App {
    /// The zone of customers that name none; UTC when `None`.
    pub async fn time_zone(&self, tenant: &TenantId) -> Result<Option<String>, CommandError> {
        let preferences: Preferences = self.journal.state(tenant, tenant.as_str()).await?;
        Ok(preferences.time_zone)
    }

    /// Sets it for customers that are created from now on; those that are there keep theirs.
    pub async fn set_time_zone(&self, request: &Request, time_zone: &str) -> Result<Option<String>, CommandError> {
        let id = request.tenant.as_str();
        self.journal
            .execute(request, Streams::new().with::<Preferences>(id), |unit| {
                set_time_zone(unit, id, time_zone)?;
                Ok(unit.state::<Preferences>(id).time_zone.clone())
            })
            .await
    }

    /// Every tenant, oldest first.
    pub async fn tenants(&self) -> Result<Vec<projections::tenant::TenantView>, CommandError> {
        Ok(projections::tenant::tenants(self.journal.views()).await?)
    }
}

fn set_time_zone(unit: &mut Unit<'_>, tenant: &str, time_zone: &str) -> Result<(), CommandError> {
    let (at, time_zone) = (unit.at(), time_zone.to_owned());
    let set = preferences::Command::SetTimeZone { at, time_zone };
    unit.send::<Preferences>(tenant, &set).map(|_| ())
}

/// A credential as it is kept. A key without a public part is known by its first characters.
fn credential(kind: CredentialKind, public_id: Option<&str>, secret: &str) -> Credential {
    let start: String = secret.chars().take(14).collect();
    Credential {
        kind,
        public_id: public_id.map_or(start, str::to_owned),
        secret_sha256: sha256_hex(secret),
    }
}
