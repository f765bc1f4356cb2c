//! Invoices as they are read.

use aggregates::id::{InvoiceId, TenantId};
use projections::{
    invoice::{Filter, InvoiceView, LineView},
    page::Page,
    subscription::ChargeView,
};

use super::App;
use crate::journal::CommandError;

impl App {
    /// An invoice with its lines.
    pub async fn invoice(
        &self,
        tenant: &TenantId,
        id: InvoiceId,
    ) -> Result<Option<(InvoiceView, Vec<LineView>)>, CommandError> {
        let views = self.journal.views();
        let Some(invoice) = projections::invoice::invoice(views, tenant, id).await? else {
            return Ok(None);
        };
        let lines = projections::invoice::lines(views, tenant, id).await?;
        Ok(Some((invoice, lines)))
    }

    /// An invoice with the charges on it, which say how they came to be.
    pub async fn explained_invoice(
        &self,
        tenant: &TenantId,
        id: InvoiceId,
    ) -> Result<Option<(InvoiceView, Vec<ChargeView>)>, CommandError> {
        let views = self.journal.views();
        let Some(invoice) = projections::invoice::invoice(views, tenant, id).await? else {
            return Ok(None);
        };
        let charges = projections::subscription::charges_of(views, tenant, id).await?;
        Ok(Some((invoice, charges)))
    }

    /// A page of the invoices that the filter lets through, in order of their creation.
    pub async fn invoices(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<InvoiceView>, CommandError> {
        Ok(projections::invoice::invoices(self.journal.views(), tenant, filter, page).await?)
    }

    pub async fn count_invoices(&self, tenant: &TenantId, filter: &Filter) -> Result<i64, CommandError> {
        Ok(projections::invoice::count(self.journal.views(), tenant, filter).await?)
    }
}
