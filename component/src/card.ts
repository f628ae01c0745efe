/** The coach card: who, how good, for how much; and what to book where there is a choice. */

import { html, nothing, type TemplateResult } from "lit";
import type { Listing, Mentor } from "./api/types.js";
import { offeredListings } from "./booking/offers.js";
import type { Rendered } from "./parts.js";
import { count, durationOf, priceOf, type View } from "./view.js";

export function renderCard(view: View, listingId: string | null): TemplateResult {
  const { course, offers } = view.state;
  const [offer] = offers;
  return html`<header class="card" part="card">
    ${course
      ? html`<div class="who">
          <h2>${course.title}</h2>
          ${course.description ? html`<p class="muted">${course.description}</p>` : nothing}
        </div>`
      : offer
        ? renderMentor(view, offer.mentor)
        : nothing}
    ${course ? view.flow.course?.renderChoice(view) : renderListings(view, offeredListings(offer, listingId))}
  </header>`;
}

function renderMentor(view: View, mentor: Mentor): TemplateResult {
  return html`<div class="person">
    ${renderAvatar(mentor)}
    <div class="who">
      <h2>${mentor.name}</h2>
      <p class="muted">${mentor.headline}</p>
      <p class="facts">
        ${renderRating(view, mentor)}${view.showAvailability ? (view.enhanced?.renderAvailability() ?? nothing) : nothing}
      </p>
    </div>
  </div>`;
}

function renderAvatar({ avatarUrl, name }: Mentor): TemplateResult {
  const initials = name
    .split(/\s+/)
    .map((word) => [...word][0] ?? "")
    .filter((_, index, all) => index === 0 || index === all.length - 1)
    .join("");
  // The initials stand behind the picture, and remain where it cannot be loaded.
  return html`<span class="avatar" aria-hidden="true"
    >${initials}${avatarUrl
      ? html`<img src=${avatarUrl} alt="" loading="lazy" referrerpolicy="no-referrer" @error=${hide} />`
      : nothing}</span
  >`;
}

function hide(event: Event): void {
  (event.target as HTMLElement).hidden = true;
}

export function renderRating(view: View, { rating, reviewCount }: Mentor): TemplateResult {
  const { words, locale } = view;
  if (rating === null) return html`<span class="muted">${words.card.noReviews}</span>`;
  const shown = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(rating);
  const reviews = count(view, reviewCount, words.plurals.reviews);
  return html`<span class="rating" role="img" aria-label=${words.card.rating(shown, reviews)}
    ><span class="star" aria-hidden="true">★</span> <b>${shown}</b> <span class="muted">(${reviews})</span></span
  >`;
}

function renderListings(view: View, listings: Listing[]): Rendered {
  const { words, state, flow } = view;
  const [only] = listings;
  if (!only) return nothing;
  if (listings.length === 1) {
    return html`<div class="offer single">
      <span
        ><b>${only.title}</b><br /><span class="muted"
          >${durationOf(view, only.durationMinutes)} · ${modeOf(view, only)}</span
        ></span
      >
      <b class="price">${priceOf(view, only.price)}</b>
    </div>`;
  }
  return html`<fieldset class="offers" ?disabled=${state.slot !== null}>
    <legend>${words.card.session}</legend>
    ${listings.map(
      (listing) => html`<label class="offer">
        <input
          type="radio"
          name="listing"
          .value=${listing.id}
          .checked=${state.listing?.id === listing.id}
          @change=${() => flow.chooseListing(listing.id)}
        />
        <span
          ><b>${listing.title}</b><br /><span class="muted"
            >${durationOf(view, listing.durationMinutes)} · ${modeOf(view, listing)}</span
          ></span
        >
        <b class="price">${priceOf(view, listing.price)}</b>
      </label>`,
    )}
  </fieldset>`;
}

function modeOf({ words }: View, listing: Listing): string {
  return listing.bookingMode === "instant" ? words.card.instant : words.card.request;
}

export function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement).value;
}
