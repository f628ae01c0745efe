/** Made by `make api-types` from the OpenAPI document; not to be edited. */

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AgreedPolicy: {
            lateFeePercent: number;
            windowHours: number;
        };
        Answer: {
            id: string;
            kind: components["schemas"]["QuestionKind"];
            label: string;
            value: string | boolean;
        };
        Booking: {
            answers: components["schemas"]["Answer"][];
            bundlePurchaseId: string | null;
            cancelReason: string | null;
            capacity?: number;
            course: components["schemas"]["Offered"] | null;
            courseId: string | null;
            createdAt: string;
            declineReason: string | null;
            durationMinutes: number;
            endTime: string;
            externalId: string | null;
            full?: boolean;
            id: string;
            kind: components["schemas"]["BookingKind"];
            listing: components["schemas"]["Offered"] | null;
            listingId: string | null;
            location: components["schemas"]["ShownLocation"] | null;
            mentee: components["schemas"]["MenteeParty"] | null;
            menteeUserId: string | null;
            mentor: components["schemas"]["MentorParty"] | null;
            mentorProfileId: string;
            metadata: {
                [key: string]: unknown;
            } | null;
            notes: string | null;
            payment: components["schemas"]["Payment"] | null;
            price: components["schemas"]["Money"];
            productId: string | null;
            reschedule: components["schemas"]["ReschedulePolicy"];
            seatsTaken?: number;
            seriesId: string | null;
            session: components["schemas"]["SessionOfBooking"] | null;
            sessionId: string | null;
            startTime: string;
            status: components["schemas"]["BookingStatus"];
            title: string | null;
            updatedAt: string;
        };
        /** @enum {string} */
        BookingKind: "individual" | "group";
        /** @enum {string} */
        BookingMode: "request" | "instant";
        BookingRules: {
            horizonDays: number | null;
            maxPerDay: number | null;
            maxPerMenteePerDay: number | null;
            maxPerMenteePerWeek: number | null;
            maxPerWeek: number | null;
            mentorProfileId: string;
            staleCalendars: string;
            stepMinutes: number;
        };
        /** @enum {string} */
        BookingStatus: "draft" | "accepted" | "declined" | "cancelled" | "awaiting_payment";
        /** @enum {string} */
        BundleStatus: "awaiting_payment" | "active" | "exhausted" | "expired";
        CancellationPolicy: {
            lateFeePercent?: number;
            windowHours?: number;
        };
        CancellationQuote: {
            allowed: boolean;
            cancelledBy: components["schemas"]["CancelledBy"];
            creditReturned: boolean | null;
            creditValidTo: string | null;
            fee: components["schemas"]["Money"];
            freeUntil: string | null;
            late: boolean;
            noShowFeePercent: number;
            policy: components["schemas"]["AgreedPolicy"] | null;
            refund: components["schemas"]["Money"];
            sessionId: string;
        };
        /** @enum {string} */
        CancellationType: "client_request" | "coach_request" | "emergency" | "other";
        /** @enum {string} */
        CancelledBy: "mentee" | "mentor" | "operator" | "system";
        CancelledSeries: {
            cancelled: string[];
            kept: components["schemas"]["KeptBooking"][];
        };
        Course: {
            active: boolean;
            createdAt: string;
            description: string | null;
            externalId: string | null;
            id: string;
            metadata: {
                [key: string]: unknown;
            } | null;
            title: string;
        };
        ErrorBody: {
            code: components["schemas"]["ErrorCode"];
            details?: {
                [key: string]: unknown;
            };
            error: string;
            message: string;
            requestId: string;
            statusCode: number;
        };
        /** @enum {string} */
        ErrorCode: "invalid_request" | "invalid_transition" | "too_early" | "mentor_does_not_teach" | "unauthenticated" | "forbidden" | "not_found" | "method_not_allowed" | "slot_taken" | "outside_hours" | "beyond_horizon" | "booking_limit" | "calendar_feed_limit" | "sessions_in_the_way" | "too_soon" | "bundle_unusable" | "price_changed" | "terms_changed" | "already_paid" | "reference_in_use" | "wrong_amount" | "refund_exceeds_payment" | "no_payment_provider" | "already_refunded" | "no_listing" | "group_full" | "review_not_open" | "still_open" | "not_cancellable" | "not_reschedulable" | "proposal_open" | "quota_reached" | "endpoint_limit" | "endpoint_not_active" | "secret_limit" | "key_in_use" | "request_timeout" | "gone" | "stale" | "too_large" | "uri_too_long" | "unsupported_media_type" | "key_reused" | "rate_limited" | "headers_too_large" | "internal_error" | "unavailable" | "not_a_group" | "blocked" | "session_pending" | "calendar_feed_exists" | "already_purchased" | "no_mentor_free" | "no_such_time" | "already_joined" | "not_bookable" | "seats_free" | "no_offer" | "duplicate_session" | "email_taken" | "external_id_taken" | "listing_exists" | "currency_differs" | "already_reviewed" | "already_answered" | "profile_exists" | "endpoint_exists" | "delivery_in_progress" | "push_off" | "template_inactive";
        FilledLines: string;
        GroupSessionItem: components["schemas"]["Booking"] & {
            cancellationPolicy: components["schemas"]["CancellationPolicy"] | null;
            cancelledAt: string | null;
            capacity: number;
            date: string;
            full: boolean;
            joined: boolean;
            questions: components["schemas"]["Question"][];
            seatsOffered: number;
            seatsTaken: number;
            templateId: string;
            waitlistPosition: number | null;
        };
        Hold: {
            createdAt: string;
            endTime: string;
            expiresAt: string;
            id: string;
            mentorProfileId: string;
            startTime: string;
        };
        KeptBooking: {
            bookingId: string;
            code: string;
        };
        ListedBundle: {
            courseId: string;
            createdAt: string;
            durationMinutes: number | null;
            externalId: string | null;
            id: string;
            menteeUserId: string;
            metadata: {
                [key: string]: unknown;
            } | null;
            payment: components["schemas"]["Payment"] | null;
            price: components["schemas"]["Money"];
            productId: string;
            remainingSessions: number;
            status: components["schemas"]["BundleStatus"];
            totalSessions: number;
            validFrom: string;
            validTo: string | null;
        };
        Listing: components["schemas"]["OfferedTerms"] & {
            bookingMode: components["schemas"]["BookingMode"];
            bufferBeforeMinutes: number;
            description: string | null;
            minNoticeMinutes: number;
            reminderMinutes: number[] | null;
        };
        /** @enum {string} */
        LocationKind: "online" | "address" | "phone";
        MenteeParty: {
            id: string;
            name: string;
        };
        MentorParty: {
            avatarUrl: string | null;
            headline: string;
            id: string;
            name: string;
        };
        MentorProfile: {
            active: boolean;
            avatarUrl: string | null;
            bio: string | null;
            externalId: string | null;
            headline: string;
            id: string;
            languages: string[];
            metadata: {
                [key: string]: unknown;
            } | null;
            name: string;
            rating: number | null;
            reviewCount: number;
            skills: string[];
            state: components["schemas"]["MentorState"];
            timeZone: string;
            userId: string;
        };
        /** @enum {string} */
        MentorState: "pending" | "active" | "rejected" | "paused";
        Money: {
            amount: number;
            currency: string;
        };
        NewRecurrence: {
            count?: number;
            /** @default 1 */
            everyWeeks?: number;
            /** @default fail */
            onConflict?: components["schemas"]["OnConflict"];
            until?: string;
        };
        Offered: {
            externalId: string | null;
            id: string;
            title: string;
        };
        OfferedListing: {
            durationMinutes: number;
            id: string;
            price: components["schemas"]["Money"];
        };
        OfferedTerms: {
            active: boolean;
            bufferMinutes: number;
            cancellation: components["schemas"]["CancellationPolicy"] | null;
            courseId: string | null;
            durationMinutes: number;
            earlyStartMinutes: number | null;
            externalId: string | null;
            id: string;
            location: components["schemas"]["ShownLocation"] | null;
            mentorProfileId: string;
            metadata: {
                [key: string]: unknown;
            } | null;
            noShowFeePercent: number;
            payment: components["schemas"]["PaymentMode"];
            price: components["schemas"]["Money"];
            questions: components["schemas"]["Question"][];
            reschedule: components["schemas"]["ReschedulePolicy"];
            title: string;
        };
        /** @enum {string} */
        OnConflict: "fail" | "skip";
        /** @enum {string} */
        PaidFor: "booking" | "series" | "seat" | "bundle";
        Payment: {
            amount: components["schemas"]["Money"];
            bookingId: string | null;
            bundleId: string | null;
            checkoutUrl: string | null;
            createdAt: string;
            dueAt: string;
            for: components["schemas"]["PaidFor"];
            id: string;
            mentorProfileId: string | null;
            paidAt: string | null;
            reference: string | null;
            refundDue: components["schemas"]["Money"];
            refunded: components["schemas"]["Money"];
            refunds: components["schemas"]["Refund"][];
            seriesId: string | null;
            status: components["schemas"]["PaymentStatus"];
            updatedAt: string;
            userId: string;
            version: number;
        };
        /** @enum {string} */
        PaymentMode: "none" | "before";
        PaymentOfSession: {
            id: string;
            status: components["schemas"]["PaymentStatus"];
        };
        /** @enum {string} */
        PaymentStatus: "awaiting" | "paid" | "lapsed" | "cancelled" | "waived";
        Product: {
            active: boolean;
            courseId: string;
            durationMinutes: number | null;
            externalId: string | null;
            id: string;
            kind: components["schemas"]["ProductKind"];
            metadata: {
                [key: string]: unknown;
            } | null;
            payment: components["schemas"]["PaymentMode"];
            price: components["schemas"]["Money"];
            sessionCount: number;
            title: string;
            validDays: number | null;
        };
        /** @enum {string} */
        ProductKind: "single" | "bundle" | "group_seat";
        Proposal: {
            expiresAt: string;
            id: string;
            /** @enum {string} */
            proposedBy: "mentee" | "mentor" | "operator";
            reason: string | null;
            startTime: string;
            status: components["schemas"]["ProposalStatus"];
        };
        /** @enum {string} */
        ProposalStatus: "open" | "accepted" | "declined" | "expired" | "withdrawn";
        Question: {
            choices?: string[];
            id: string;
            kind: components["schemas"]["QuestionKind"];
            label: string;
            required: boolean;
        };
        /** @enum {string} */
        QuestionKind: "text" | "choice" | "yes_no";
        Refund: {
            amount: components["schemas"]["Money"];
            createdAt: string;
            doneAt: string | null;
            id: string;
            reason: string | null;
            reference: string | null;
            /** @enum {string} */
            status: "due" | "done";
        };
        RefusedSlot: {
            endTime: string;
            mentorProfileId: string;
            /** @enum {string} */
            reason: "beyond_horizon" | "too_soon" | "time_off" | "outside_hours" | "busy" | "limit";
            startTime: string;
        };
        /** @enum {string} */
        RescheduleMode: "free" | "by_agreement" | "off";
        ReschedulePolicy: {
            maxTimes?: number;
            mode?: components["schemas"]["RescheduleMode"];
            windowHours?: number;
        };
        Review: {
            answer: string | null;
            answeredAt: string | null;
            comment: string | null;
            createdAt: string;
            hidden: boolean;
            hiddenReason: string | null;
            id: string;
            menteeUserId: string | null;
            mentorProfileId: string;
            rating: number;
            reviewer: string;
            sessionId: string | null;
        };
        ReviewPermit: {
            expiresAt: string;
            mentee: components["schemas"]["MenteeParty"] | null;
            mentor: components["schemas"]["MentorParty"] | null;
            mentorProfileId: string;
            sessionId: string;
            unlockedAt: string;
        };
        SeatOffer: {
            expiresAt: string;
        };
        Series: {
            id: string;
            made: components["schemas"]["SeriesOccurrence"][];
            skipped: components["schemas"]["SkippedSeriesOccurrence"][];
        };
        SeriesOccurrence: {
            bookingId: string;
            sessionId: string | null;
            startTime: string;
        };
        Session: {
            actionItems: string[] | null;
            answers: components["schemas"]["Answer"][];
            bookingId: string;
            bundlePurchaseId: string | null;
            cancellation: {
                [key: string]: unknown;
            } | null;
            cancelledAt: string | null;
            completedAt: string | null;
            course: components["schemas"]["Offered"] | null;
            createdAt: string;
            description: string | null;
            earlyStartMinutes: number | null;
            endTime: string;
            externalId: string | null;
            feedback: string | null;
            id: string;
            joinUrl: string | null;
            kind: components["schemas"]["BookingKind"];
            listing: components["schemas"]["Offered"] | null;
            location: components["schemas"]["ShownLocation"] | null;
            mentee: components["schemas"]["MenteeParty"] | null;
            menteeUserId: string | null;
            mentor: components["schemas"]["MentorParty"] | null;
            mentorProfileId: string;
            metadata: {
                [key: string]: unknown;
            } | null;
            notes: string | null;
            payment: components["schemas"]["PaymentOfSession"] | null;
            price: components["schemas"]["Money"] | null;
            proposal: components["schemas"]["Proposal"] | null;
            rating: number | null;
            rescheduleCount: number;
            rescheduledFrom: string | null;
            startedAt: string | null;
            startTime: string;
            status: components["schemas"]["SessionStatus"];
            title: string | null;
            updatedAt: string;
        };
        SessionCancellation: {
            cancellationType?: components["schemas"]["CancellationType"];
            reason: components["schemas"]["FilledLines"];
            /** @default true */
            refundRequested?: boolean;
            type?: components["schemas"]["CancellationType"];
        };
        SessionOfBooking: {
            id: string;
            status: components["schemas"]["SessionStatus"];
        };
        /** @enum {string} */
        SessionStatus: "scheduled" | "in_progress" | "completed" | "cancelled";
        ShownLocation: {
            kind: components["schemas"]["LocationKind"];
            value: string | null;
        };
        SkippedSeriesOccurrence: {
            code: string;
            message: string;
            startTime: string;
        };
        Slot: {
            endTime: string;
            mentorProfileIds: string[];
            startTime: string;
        };
        Slots: {
            durationMinutes: number;
            items: components["schemas"]["Slot"][];
            nextFrom?: string;
            refused?: components["schemas"]["RefusedSlot"][];
            staleCalendars?: string[];
        };
        SupportOptions: {
            course: components["schemas"]["Course"];
            groupSessions: components["schemas"]["GroupSessionItem"][];
            mentors: components["schemas"]["TeachingMentor"][];
            products: components["schemas"]["Product"][];
        };
        TeachingMentor: {
            headline: string;
            id: string;
            listings: components["schemas"]["OfferedListing"][];
            name: string;
            rating: number | null;
            reviewCount: number;
        };
        WaitlistEntry: {
            offer: components["schemas"]["SeatOffer"] | null;
            position: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
