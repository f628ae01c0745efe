/** Made by `make api-types` from the OpenAPI document; not to be edited. */

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AgreedPolicy: {
            windowHours: number;
            lateFeePercent: number;
        };
        Booking: {
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            listingId: string | null;
            mentorProfileId: string;
            menteeUserId: string | null;
            mentor: components["schemas"]["MentorParty"] | null;
            mentee: components["schemas"]["MenteeParty"] | null;
            kind: components["schemas"]["BookingKind"];
            startTime: string;
            endTime: string;
            durationMinutes: number;
            status: components["schemas"]["BookingStatus"];
            title: string | null;
            notes: string | null;
            price: components["schemas"]["Money"];
            courseId: string | null;
            productId: string | null;
            bundlePurchaseId: string | null;
            seriesId: string | null;
            location: components["schemas"]["ShownLocation"] | null;
            payment: components["schemas"]["Payment"] | null;
            sessionId: string | null;
            declineReason: string | null;
            cancelReason: string | null;
            capacity?: number;
            seatsTaken?: number;
            full?: boolean;
            createdAt: string;
            updatedAt: string;
        };
        /** @enum {string} */
        BookingKind: "individual" | "group";
        /** @enum {string} */
        BookingMode: "request" | "instant";
        BookingRules: {
            mentorProfileId: string;
            stepMinutes: number;
            horizonDays: number | null;
            maxPerDay: number | null;
            maxPerWeek: number | null;
            maxPerMenteePerDay: number | null;
            maxPerMenteePerWeek: number | null;
            staleCalendars: string;
        };
        /** @enum {string} */
        BookingStatus: "draft" | "accepted" | "declined" | "cancelled" | "awaiting_payment";
        /** @enum {string} */
        BundleStatus: "active" | "exhausted" | "expired";
        CancellationPolicy: {
            windowHours?: number;
            lateFeePercent?: number;
        };
        CancellationQuote: {
            sessionId: string;
            allowed: boolean;
            cancelledBy: components["schemas"]["CancelledBy"];
            late: boolean;
            fee: components["schemas"]["Money"];
            refund: components["schemas"]["Money"];
            freeUntil: string | null;
            creditReturned: boolean | null;
            creditValidTo: string | null;
            policy: components["schemas"]["AgreedPolicy"] | null;
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
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            title: string;
            description: string | null;
            active: boolean;
            createdAt: string;
        };
        ErrorBody: {
            statusCode: number;
            error: string;
            message: string;
            code: string;
            details?: {
                [key: string]: unknown;
            };
            requestId: string;
        };
        GroupSessionItem: components["schemas"]["Booking"] & {
            capacity: number;
            seatsTaken: number;
            full: boolean;
            templateId: string;
            date: string;
            seatsOffered: number;
            cancellationPolicy: components["schemas"]["CancellationPolicy"] | null;
            cancelledAt: string | null;
            joined: boolean;
            waitlistPosition: number | null;
        };
        Hold: {
            id: string;
            mentorProfileId: string;
            startTime: string;
            endTime: string;
            expiresAt: string;
            createdAt: string;
        };
        KeptBooking: {
            bookingId: string;
            code: string;
        };
        ListedBundle: {
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            menteeUserId: string;
            courseId: string;
            productId: string;
            totalSessions: number;
            remainingSessions: number;
            durationMinutes: number | null;
            price: components["schemas"]["Money"];
            validFrom: string;
            validTo: string | null;
            status: components["schemas"]["BundleStatus"];
            createdAt: string;
        };
        Listing: components["schemas"]["OfferedTerms"] & {
            description: string | null;
            bookingMode: components["schemas"]["BookingMode"];
            minNoticeMinutes: number;
            bufferBeforeMinutes: number;
            reminderMinutes: number[] | null;
        };
        MenteeParty: {
            id: string;
            name: string;
        };
        MentorParty: {
            id: string;
            name: string;
            headline: string;
            avatarUrl: string | null;
        };
        MentorProfile: {
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            userId: string;
            name: string;
            headline: string;
            bio: string | null;
            timeZone: string;
            skills: string[];
            languages: string[];
            avatarUrl: string | null;
            rating: number | null;
            reviewCount: number;
            active: boolean;
        };
        Money: {
            amount: number;
            currency: string;
        };
        NewRecurrence: {
            count?: number;
            until?: string;
            /** @default 1 */
            everyWeeks?: number;
            /** @default fail */
            onConflict?: components["schemas"]["OnConflict"];
        };
        OfferedListing: {
            id: string;
            durationMinutes: number;
            price: components["schemas"]["Money"];
        };
        OfferedTerms: {
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            mentorProfileId: string;
            title: string;
            durationMinutes: number;
            price: components["schemas"]["Money"];
            courseId: string | null;
            earlyStartMinutes: number | null;
            bufferMinutes: number;
            cancellation: components["schemas"]["CancellationPolicy"] | null;
            location: components["schemas"]["ShownLocation"] | null;
            payment: components["schemas"]["PaymentMode"];
            active: boolean;
        };
        /** @enum {string} */
        OnConflict: "fail" | "skip";
        /** @enum {string} */
        PaidFor: "booking" | "series" | "seat" | "bundle";
        Payment: {
            id: string;
            for: components["schemas"]["PaidFor"];
            bookingId: string | null;
            seriesId: string | null;
            bundleId: string | null;
            userId: string;
            mentorProfileId: string | null;
            amount: components["schemas"]["Money"];
            status: components["schemas"]["PaymentStatus"];
            dueAt: string;
            paidAt: string | null;
            reference: string | null;
            refundDue: components["schemas"]["Money"];
            refunded: components["schemas"]["Money"];
            refunds: components["schemas"]["Refund"][];
            checkoutUrl: string | null;
            version: number;
            createdAt: string;
            updatedAt: string;
        };
        /** @enum {string} */
        PaymentMode: "none" | "before";
        /** @enum {string} */
        PaymentStatus: "awaiting" | "paid" | "lapsed" | "cancelled" | "waived";
        Product: {
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            courseId: string;
            kind: components["schemas"]["ProductKind"];
            title: string;
            sessionCount: number;
            durationMinutes: number | null;
            price: components["schemas"]["Money"];
            validDays: number | null;
            payment: components["schemas"]["PaymentMode"];
            active: boolean;
        };
        /** @enum {string} */
        ProductKind: "single" | "bundle" | "group_seat";
        Refund: {
            id: string;
            amount: components["schemas"]["Money"];
            reason: string | null;
            /** @enum {string} */
            status: "due" | "done";
            reference: string | null;
            createdAt: string;
            doneAt: string | null;
        };
        RefusedSlot: {
            startTime: string;
            endTime: string;
            mentorProfileId: string;
            /** @enum {string} */
            reason: "beyond_horizon" | "too_soon" | "time_off" | "outside_hours" | "busy" | "limit";
        };
        Review: {
            id: string;
            mentorProfileId: string;
            sessionId: string | null;
            menteeUserId: string | null;
            reviewer: string;
            rating: number;
            comment: string | null;
            answer: string | null;
            answeredAt: string | null;
            hidden: boolean;
            hiddenReason: string | null;
            createdAt: string;
        };
        ReviewPermit: {
            sessionId: string;
            mentorProfileId: string;
            unlockedAt: string;
            expiresAt: string;
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
            startTime: string;
            bookingId: string;
            sessionId: string | null;
        };
        Session: {
            externalId: string | null;
            metadata: {
                [key: string]: unknown;
            } | null;
            id: string;
            bookingId: string;
            mentorProfileId: string;
            menteeUserId: string | null;
            mentor: components["schemas"]["MentorParty"] | null;
            mentee: components["schemas"]["MenteeParty"] | null;
            title: string | null;
            description: string | null;
            startTime: string;
            endTime: string;
            status: components["schemas"]["SessionStatus"];
            notes: string | null;
            rating: number | null;
            feedback: string | null;
            actionItems: string[] | null;
            startedAt: string | null;
            completedAt: string | null;
            cancelledAt: string | null;
            cancellation: {
                [key: string]: unknown;
            } | null;
            location: components["schemas"]["ShownLocation"] | null;
            earlyStartMinutes: number | null;
            joinUrl: string | null;
            createdAt: string;
            updatedAt: string;
        };
        SessionCancellation: {
            type?: components["schemas"]["CancellationType"];
            cancellationType?: components["schemas"]["CancellationType"];
            reason: string;
            /** @default true */
            refundRequested?: boolean;
        };
        /** @enum {string} */
        SessionStatus: "scheduled" | "in_progress" | "completed" | "cancelled";
        ShownLocation: {
            /** @enum {string} */
            kind: "online" | "address" | "phone";
            value: string | null;
        };
        SkippedSeriesOccurrence: {
            startTime: string;
            code: string;
            message: string;
        };
        Slot: {
            startTime: string;
            endTime: string;
            mentorProfileIds: string[];
        };
        Slots: {
            durationMinutes: number;
            items: components["schemas"]["Slot"][];
            refused?: components["schemas"]["RefusedSlot"][];
            staleCalendars?: string[];
            nextFrom?: string;
        };
        SupportOptions: {
            course: components["schemas"]["Course"];
            mentors: components["schemas"]["TeachingMentor"][];
            products: components["schemas"]["Product"][];
            groupSessions: components["schemas"]["GroupSessionItem"][];
        };
        TeachingMentor: {
            id: string;
            name: string;
            headline: string;
            rating: number | null;
            reviewCount: number;
            listings: components["schemas"]["OfferedListing"][];
        };
        WaitlistEntry: {
            position: number;
            offer: components["schemas"]["SeatOffer"] | null;
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
