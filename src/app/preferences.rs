//! `UpdateInvoicingPreferences`: how a tenant invoices.

use aggregates::{
    preferences::{Command, InvoicingChanges, Preferences},
    terms::InvoicingPreferences,
};

use super::App;
use crate::journal::{CommandError, Request, Streams};

impl App {
    /// Merges the changes; answers with the preferences in force afterwards.
    pub async fn update_invoicing_preferences(
        &self,
        request: &Request,
        changes: InvoicingChanges,
    ) -> Result<InvoicingPreferences, CommandError> {
        let id = request.tenant.as_str();
        self.journal
            .execute(request, Streams::new().with::<Preferences>(id), |unit| {
                let at = unit.at();
                unit.send::<Preferences>(id, &Command::UpdateInvoicingPreferences { at, changes })?;
                Ok(unit.state::<Preferences>(id).invoicing)
            })
            .await
    }

    pub async fn invoicing_preferences(
        &self,
        tenant: &aggregates::id::TenantId,
    ) -> Result<InvoicingPreferences, CommandError> {
        Ok(projections::preferences::invoicing(self.journal.views(), tenant).await?)
    }
}
