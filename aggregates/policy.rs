//! Billing policy: how parts of periods are counted, where tax is rounded, and whether prices contain it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::billing::{Proration, TaxLevel, TaxMode, TaxPolicy};

/// Whose policy it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PolicyOwner {
    #[default]
    Tenant,
    /// One subscription has another policy than its tenant had when it was signed.
    Subscription,
}

/// Which policy a charge or an invoice was made by: `tenant/3` is the third that the tenant has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyVersion {
    pub owner: PolicyOwner,
    pub number: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the version of a policy, such as tenant/1")]
pub struct NotAVersion(String);

/// The policy as it is from now on, or was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingPolicy {
    pub version: PolicyVersion,
    pub proration: Proration,
    pub tax: TaxPolicy,
}

/// A policy of before, and how far each phase of the subscription was billed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyBefore {
    pub policy: BillingPolicy,
    /// By number of the phase.
    pub billed_through: BTreeMap<u32, NaiveDate>,
}

/// A merge: what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyChanges {
    pub proration: Option<Proration>,
    pub tax_level: Option<TaxLevel>,
    pub tax_mode: Option<TaxMode>,
}

impl PolicyChanges {
    /// What is otherwise in `after`.
    pub fn between(before: BillingPolicy, after: BillingPolicy) -> Self {
        Self {
            proration: Some(after.proration).filter(|proration| *proration != before.proration),
            tax_level: Some(after.tax.level).filter(|level| *level != before.tax.level),
            tax_mode: Some(after.tax.mode).filter(|mode| *mode != before.tax.mode),
        }
    }

    /// What is named, where that is what is supposed of it.
    #[must_use]
    pub fn where_supposed(self, supposed: &Self) -> Self {
        Self {
            proration: self.proration.map(|named| supposed.proration.unwrap_or(named)),
            tax_level: self.tax_level.map(|named| supposed.tax_level.unwrap_or(named)),
            tax_mode: self.tax_mode.map(|named| supposed.tax_mode.unwrap_or(named)),
        }
    }
}

impl Default for PolicyVersion {
    /// What a tenant has before it has changed anything.
    fn default() -> Self {
        Self {
            owner: PolicyOwner::Tenant,
            number: 1,
        }
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = match self.owner {
            PolicyOwner::Tenant => "tenant",
            PolicyOwner::Subscription => "subscription",
        };
        write!(f, "{owner}/{}", self.number)
    }
}

impl FromStr for PolicyVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let wrong = || NotAVersion(text.to_owned());
        let (owner, number) = text.split_once('/').ok_or_else(wrong)?;
        let owner = match owner {
            "tenant" => PolicyOwner::Tenant,
            "subscription" => PolicyOwner::Subscription,
            _ => return Err(wrong()),
        };
        let number = number.parse().map_err(|_| wrong())?;
        Ok(Self { owner, number })
    }
}

impl TryFrom<String> for PolicyVersion {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<PolicyVersion> for String {
    fn from(version: PolicyVersion) -> Self {
        version.to_string()
    }
}

impl BillingPolicy {
    /// The owner's next policy; `None` where nothing changes.
    pub fn changed(self, changes: &PolicyChanges, owner: PolicyOwner) -> Option<Self> {
        let proration = changes.proration.unwrap_or(self.proration);
        let tax = TaxPolicy {
            level: changes.tax_level.unwrap_or(self.tax.level),
            mode: changes.tax_mode.unwrap_or(self.tax.mode),
        };
        if (proration, tax) == (self.proration, self.tax) {
            return None;
        }
        let before = if self.version.owner == owner {
            self.version.number
        } else {
            0
        };
        let number = before.saturating_add(1);
        Some(Self {
            version: PolicyVersion { owner, number },
            proration,
            tax,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_and_read() {
        for text in ["tenant/1", "subscription/42"] {
            let version: PolicyVersion = text.parse().unwrap();
            assert_eq!(version.to_string(), text);
            assert_eq!(serde_json::to_value(version).unwrap(), text);
        }
        for text in ["", "tenant", "tenant/", "tenant/-1", "nobody/1", "tenant/1/2"] {
            assert!(text.parse::<PolicyVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_owner_counts_its_own_policies() {
        let by_line = PolicyChanges {
            tax_level: Some(TaxLevel::Line),
            ..PolicyChanges::default()
        };
        let inclusive = PolicyChanges {
            tax_mode: Some(TaxMode::Inclusive),
            ..PolicyChanges::default()
        };
        let second = BillingPolicy::default().changed(&by_line, PolicyOwner::Tenant).unwrap();
        assert_eq!(second.version.to_string(), "tenant/2");
        let own = second.changed(&inclusive, PolicyOwner::Subscription).unwrap();
        assert_eq!(own.version.to_string(), "subscription/1");
        assert_eq!((own.tax.level, own.tax.mode), (TaxLevel::Line, TaxMode::Inclusive));
        let exclusive = PolicyChanges {
            tax_mode: Some(TaxMode::Exclusive),
            ..PolicyChanges::default()
        };
        let again = own.changed(&exclusive, PolicyOwner::Subscription).unwrap();
        assert_eq!(again.version.to_string(), "subscription/2");
    }

    #[test]
    fn what_is_so_already_is_no_new_policy() {
        let same = PolicyChanges {
            proration: Some(Proration::ActualDays),
            tax_level: Some(TaxLevel::Invoice),
            tax_mode: None,
        };
        assert_eq!(BillingPolicy::default().changed(&same, PolicyOwner::Subscription), None);
    }
}
