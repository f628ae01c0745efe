import{ApiError as e,E as t,H as n,I as r,L as i,N as a,O as o,P as s,S as c,V as l,dt as u,ft as d,gt as f,m as p,mt as m,n as h,r as g,t as ee,w as _,yt as te,z as v}from"./session-booking.js";import{Keys as ne,creditText as y,r as b}from"./enhanced-Ca8t5wAW.js";async function re(e,t,n,r){let i=n?await ie(e,t,r):null;if(i)return{permit:i,reviews:[]};let a={sessionId:t.id,limit:100},{items:o}=await e.get(`/mentors/${t.mentorProfileId}/reviews`,a,{signal:r});return{permit:i,reviews:o}}async function ie(e,t,n){for await(let r of d(e,`/reviews/permits`,{},{signal:n}))if(r.sessionId===t.id)return r;return null}function x(e=Date.now()){return{phase:`loading`,session:null,tag:null,booking:null,quote:null,permit:null,reviews:[],plan:null,moving:null,dialog:null,answering:null,doing:null,waiting:null,error:null,fieldErrors:{},notice:null,now:e}}function S(e){let t=e.quote?.cancelledBy;return t&&t!==`system`?t:null}function ae(e){return e!==`mentee`&&e!==`mentor`?[]:[e===`mentee`?`client_request`:`coach_request`,`emergency`,`other`]}function C({session:e,booking:t}){return t?t.kind===`group`:e!==null&&e.menteeUserId===null}function w(e){return e.earlyStartMinutes===null?-1/0:Date.parse(e.startTime)-e.earlyStartMinutes*6e4}var oe=9e5;function T({startTime:e}){return Date.parse(e)+oe}function E(e){let{session:t,now:n}=e,r=S(e),i=t?.status,a=r===`mentee`||r===`mentor`,o=t!==null&&n>=w(t),s=r===`mentee`&&C(e),c=i===`scheduled`&&e.quote?.allowed===!0;return{join:t?.joinUrl&&O(t.joinUrl)?t.joinUrl:null,start:i===`scheduled`&&a&&o,startsLater:i===`scheduled`&&a&&!o,complete:i===`in_progress`&&(r===`mentor`||r===`operator`),move:i===`scheduled`&&se(e),cancel:c&&!s,leave:c&&s,noShow:i===`scheduled`&&n>=T(t)?ce(e):[],review:i===`completed`&&e.permit!==null&&!e.reviews.length,answer:r===`mentor`&&e.reviews.some(e=>e.answeredAt===null),cancelSeries:!!e.booking?.seriesId&&r!==null&&i===`scheduled`}}function D(e){return S(e)===`operator`||e.booking?.reschedule?.mode===`free`||C(e)}function se(e){let{session:t,booking:n,now:r}=e,i=S(e),a=n?.reschedule;if(!t||!a||i===null)return!1;if(i===`operator`)return!0;if(a.mode===`off`||(t.rescheduleCount??0)>=a.maxTimes)return!1;let o=D(e)?a.windowHours*36e5:0,s=t.proposal&&t.proposal.proposedBy!==i;return r<Date.parse(t.startTime)-o&&!s&&!(C(e)&&i===`mentee`)}function ce(e){let t=C(e)?[`mentor`]:[`mentee`,`mentor`];return S(e)===null?[]:t.filter(t=>t!==S(e))}function le({booking:e,quote:t}){if(!e||!t)return null;let n=t.noShowFeePercent;return{percent:n,fee:{...e.price,amount:Math.floor((e.price.amount*n+50)/100)}}}function O(e){return/^https?:\/\//i.test(e)}var k=6e4,ue=18e5,de=36e5,fe=216e5;function pe(e,t,n,r){let{status:i}=e;if(i===`completed`||i===`cancelled`)return null;let a=i===`scheduled`?[T(e),Date.parse(r??``)]:[],o=e.proposal?.status===`open`?[Date.parse(e.proposal.expiresAt)]:[],s=[w(e),...a,...o],c=Math.min(...s.map(e=>e>t?e-t+500:1/0)),l=Date.parse(e.startTime)-ue,u=t>Date.parse(e.endTime)+fe,d=n||u?1/0:i===`in_progress`||t>l?k:l-t,f=Math.min(c,d);return f===1/0?null:Math.min(f,de)}function me({session:e,booking:t,reviews:n}){if(!e)return[];let r=[[t!==null&&Date.parse(e.createdAt)-Date.parse(t.createdAt)>k?t.createdAt:null,`requested`],[e.createdAt,`booked`],[e.startedAt,`started`],[e.completedAt,`completed`],[e.cancelledAt,`cancelled`],[e.cancellation?.waivedAt,`waived`]];for(let{createdAt:e,answeredAt:t}of n)r.push([e,`reviewed`],[t,`answered`]);return r.flatMap(([e,t])=>e?[{at:e,kind:t}]:[]).sort((e,t)=>Date.parse(e.at)-Date.parse(t.at))}function A({allowed:e,fee:t,refund:n,creditReturned:r,policy:i}){let a=t.amount>0||n.amount>0||r!==null;return e&&(!a||i?.lateFeePercent===0)}function he(e,t){return e.allowed===t.allowed&&e.fee.amount===t.fee.amount&&e.refund.amount===t.refund.amount&&e.creditReturned===t.creditReturned}var ge={start:`in_progress`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`};function _e(e){return e.split(`
`).flatMap(e=>e.trim()||[])}function ve(e,t,n){let r={};for(let[i,a]of Object.entries(e)){if(!Array.isArray(a))continue;let[e=``,o]=i.split(`.`),s=a.map(e=>o===void 0?n(e):t(String(Number(o)+1),n(e)));r[e]=[...r[e]??[],...s]}return r}var ye=30,j=6e4,M=3e3,N=6e4,P=class{#e;#t;#n;constructor(e,t,n){this.context=e,this.store=t,this.words=n,this.#e=``,this.#n=0,this.onWaiting=e=>{this.store.state.doing&&this.store.update({waiting:e})}}open(e){this.#e=e;let{signal:t}=this.context;t.addEventListener(`abort`,()=>clearTimeout(this.#t)),p(t,()=>{let{session:e,doing:t}=this.store.state;e&&!t&&Date.now()-this.#n>N&&this.readLater()})}readLater(){this.read().catch(()=>this.schedule())}async read(){let{signal:t}=this.context;for(let n=1;;n++)try{let e=null,n={signal:t,onTag:t=>e=t},r=await this.context.client.get(`/sessions/${this.#e}`,{},n);this.#n=Date.now(),this.context.telemetry.loaded();let i=this.store.state.session;if(i&&Date.parse(i.updatedAt)>Date.parse(r.updatedAt))return this.schedule();this.#i(r),this.store.update({session:r,tag:e,phase:`ready`,now:this.context.client.now}),await this.readRest(r);return}catch(r){if(!(r instanceof e)||r.code!==`session_pending`||n>=ye)throw r;this.store.update({phase:`preparing`}),await u((r.retryAfter??1)*1e3,t)}}async readRest(t){let{client:n,signal:r}=this.context,i=null,[a,o]=await Promise.all([n.get(`/bookings/${t.bookingId}`,{},{signal:r}).catch(()=>this.store.state.booking),this.quote().catch(t=>(i=e.ofPage(t),this.store.state.quote))]);if(r.aborted)return;let s=this.store.state.quote!==null;this.store.update({booking:a,quote:o,now:n.now}),s||this.store.update({error:o?null:i}),this.schedule(),t.status===`completed`&&this.#r(t,r).catch(()=>void 0)}async#r(e,t){let n=Date.parse(e.completedAt??``);for(;;){let r=await re(this.context.client,e,S(this.store.state)===`mentee`,t);if(this.store.update(r),r.permit||r.reviews.length||this.context.client.now-n>j)return;await u(M,t)}}async plan(t=this.context.signal){let{session:n,booking:r}=this.store.state,i={seriesId:r?.seriesId,listingId:r?.listingId,from:n?.startTime},{readPlan:a}=await import(`./plan-CJ_UvY-T.js`).catch(()=>Promise.reject(e.ofPart()));return a(this.context.client,i,S(this.store.state),t)}quote(e=this.context.signal){let t={signal:e,onWaiting:this.onWaiting};return this.context.client.get(`/sessions/${this.#e}/cancellation-quote`,{},t)}schedule(){clearTimeout(this.#t);let{session:e,phase:t,quote:n}=this.store.state;if(!e||t!==`ready`)return;let{client:r,realtime:i}=this.context,a=pe(e,r.now,i?.followsSessions??!1,n?.freeUntil);if(a===null)return;let{signal:o}=this.context;this.#t=setTimeout(()=>{o.aborted||(document.hidden||this.store.state.doing?this.schedule():this.readLater())},a)}#i(e){let{session:t,doing:n}=this.store.state;if(!t||n)return;let r=this.words(),i=t.startTime!==e.startTime,a=t.status!==e.status,o=e.proposal&&t.proposal?.id!==e.proposal.id,s=a?r.changed(r.status[e.status]):i?r.moved:o?r.proposed:null;s&&(this.store.update({notice:s,...(a||i)&&{dialog:null}}),this.context.announce(s))}},be=6e4,F={start:`started`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`},xe=new Set([`already_reviewed`,`already_answered`,`review_not_open`]),Se=class{#e;#t;#n;#r;#i;#a;#o;constructor(e,t){this.context=e,this.words=t,this.store=new h(x()),this.#e=null,this.#r=null,this.#i=new AbortController,this.#a=!1,this.#o=null,this.#n=new ne(e.client),this.#t=new P(e,this.store,t)}open(e){e!==this.#e&&(this.#e=e,this.store.update(x()),this.#t.open(e),this.load())}async load(){let{signal:t}=this.context;this.store.update({error:null,phase:this.store.state.session?`ready`:`loading`});try{await this.#t.read()}catch(n){if(t.aborted)return;let r=e.ofPage(n);this.store.update({error:r,phase:this.store.state.session?`ready`:`failed`}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`session`})}}changed(e){let{session:t,doing:n,phase:r}=this.store.state;e.id===this.#e&&r!==`left`&&(t?.updatedAt!==e.updatedAt||t.proposal?.id!==e.proposal?.id)&&(n?this.#o=e:t?this.#t.readLater():this.load())}openDialog(e,t=null){this.store.update({dialog:e,answering:t,error:null,fieldErrors:{},notice:null,plan:null}),e===`move`&&this.store.state.moving?.restart(),e===`cancel`&&this.#_(e,async()=>this.store.update({quote:await this.#t.quote()})),e===`series`&&this.#_(e,async()=>this.store.update({plan:await this.#t.plan()}))}closeDialog(){this.store.state.dialog&&((this.store.state.waiting||!this.#a)&&this.#i.abort(),this.store.update({dialog:null,error:null,fieldErrors:{}}))}refuse(e,t){this.store.update({fieldErrors:{[e]:[t]}})}start(){let{onStart:e}=this.context.options.sessionActions??{};return this.#c(`start`,e&&(()=>e(this.#s)),{})}complete(e){let{onComplete:t}=this.context.options.sessionActions??{};return this.#c(`complete`,t&&(()=>t(this.#s,e)),e)}async cancel(t,n,r){let{quote:i,doing:a}=this.store.state,o=this.words();if(a)return;let s=E(this.store.state).leave?`leave`:`cancel`;if(s===`cancel`&&!t.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);let{onCancel:c}=this.context.options.sessionActions??{};if(c)return this.#c(s,()=>c(this.#s,t,r),{});await this.#h(s,async()=>{let a=await this.#t.quote(this.#v);if(i?.allowed&&!a.allowed)throw new e(412,`stale`);if(i&&!he(i,a)){this.store.update({quote:a,notice:o.cancelling.costChanged});return}if(s===`leave`)return this.#f(t);let c={reason:t,type:r,...a.cancelledBy===`mentee`&&a.refund.amount>0&&{refundRequested:n}};this.#d(s,await this.#u(s,c))})}moving(){let{store:t,context:n}=this;return this.#r??=n.lazy.moving().then(({Moving:e})=>t.update({moving:new e(n)}),()=>t.update({error:e.ofPart()})),t.state.moving}async move(e,t,n){let r=this.store.state.session?.startTime;return await this.#h(`move`,async()=>{await this.#u(e,t),this.#m(`move`,n),await this.#t.read().catch(()=>this.#t.schedule());let{session:i}=this.store.state;i&&i.startTime!==r&&this.context.emit(`rescheduled`,{session:i})}),this.store.state.error}async review(e,t){let n=this.words();if(!e)return this.refuse(`rating`,n.reviewing.ratingMissing);await this.#h(`review`,async()=>{let n={rating:e,...t.trim()&&{comment:t.trim()}},r=await this.#y(`/sessions/${this.#s}/review`,n);this.store.update({reviews:[r],permit:null}),this.#m(`review`)})}async reportNoShow(e){await this.#h(`no-show`,async()=>{this.#d(`no-show`,await this.#u(`no-show`,{who:e}))})}async answer(e){let{answering:t}=this.store.state;if(!e)return this.refuse(`answer`,this.words().reviewing.answerMissing);await this.#h(`answer`,async()=>{let n={answer:e,reviewId:t?.id},r=await this.#y(`/sessions/${this.#s}/review/answer`,n),i=this.store.state.reviews.map(e=>e.id===r.id?r:e);this.store.update({reviews:i}),this.#m(`answer`)})}async cancelSeries(e,n,r){let{session:i,booking:a,plan:o}=this.store.state,s=this.words();if(!e.trim())return this.refuse(`reason`,s.cancelling.reasonMissing);await this.#h(`series`,async()=>{let c=await this.#t.plan(this.#v);if(JSON.stringify(c)!==JSON.stringify(o))return this.store.update({plan:c,notice:s.cancelling.costChanged});let l={from:i?.startTime,reason:e,type:r,refundRequested:n},{kept:u}=await this.#y(`/series/${a?.seriesId}/cancel`,l);if(await this.#t.read(),this.#m(`series`),u.length){let e=t(this.context,u.length,s.plurals.dates);this.store.update({notice:`${s.done.series} ${s.series.kept(e)}`})}let d=this.store.state.session;d?.status===`cancelled`&&this.#p(`cancel`,d)})}get#s(){return this.#e??``}async#c(e,t,n){let{session:r}=this.store.state;await this.#h(e,async()=>{let i=ge[e];if(this.context.options.optimistic&&r&&i&&this.store.update({session:{...r,status:i}}),!t)return this.#d(e,await this.#u(e,n));await this.#l(t),await this.#t.read();let a=this.store.state.session;a&&a.status===i?this.#d(e,a):this.store.update({dialog:null})})}async#l(t){let{signal:n}=this.context;this.#a=!0;let r=Promise.resolve(t());if(await Promise.race([r.then(()=>!1),u(be,n).then(()=>!0)]))throw r.then(()=>n.aborted?void 0:this.load(),()=>void 0),new e(0,`timeout`)}#u(e,t){let{tag:n}=this.store.state;return this.#y(`/sessions/${this.#s}/${e}`,t,{ifMatch:n,onTag:e=>this.store.update({tag:e})})}#d(e,t){this.store.update({session:t}),this.#m(e),e in F&&this.#p(e,t),this.#t.readRest(t).catch(()=>void 0)}async#f(e){let{session:t}=this.store.state;await this.#y(`/group-sessions/${t?.bookingId}/leave`,e?{reason:e}:{}),this.store.update({phase:`left`}),this.#m(`leave`),t&&this.#p(`cancel`,t)}#p(e,t){this.context.emit(F[e],{session:t}),this.context.flow.sessionChanged(t)}#m(e,t=this.words().done[e]){this.store.update({dialog:null,notice:t,error:null,fieldErrors:{},now:this.context.client.now}),this.context.announce(t),this.#t.schedule()}async#h(t,n){let{session:r,tag:i,doing:a}=this.store.state;if(a)return;let{signal:o}=this.context,s=this.#i=new AbortController;this.#a=!1,this.store.update({doing:t,error:null,fieldErrors:{},notice:null});try{await n()}catch(n){if(o.aborted)return;this.store.update({session:r,tag:i}),s.signal.aborted?this.#t.readLater():await this.#g(t,e.ofPage(n))}finally{if(!o.aborted){this.store.update({doing:null,waiting:null});let e=this.#o;this.#o=null,e&&this.changed(e)}}}async#g(e,t){let n=e===`start`||e===`complete`||e===`cancel`?e:`session`;if(t.code!==`page`&&this.context.telemetry.failed(t),this.context.emit(`failed`,{error:t,during:n}),t.status===412||t.code===`invalid_transition`){await this.#t.read().catch(()=>void 0);let t=E(this.store.state);({...t,series:t.cancelSeries,"no-show":t.noShow.length>0})[e]||this.store.update({dialog:null})}xe.has(t.code)&&(this.store.update({dialog:null}),await this.#t.read().catch(()=>void 0)),this.store.update({error:t,fieldErrors:ve(t.details,this.words().form.line,this.context.words.reason)})}async#_(t,n){let{signal:r}=this.context;try{await n()}catch(n){!r.aborted&&this.store.state.dialog===t&&this.store.update({error:e.ofPage(n)})}}get#v(){return AbortSignal.any([this.context.signal,this.#i.signal])}#y(e,t,n={}){let r=this.#v;return this.#a=!0,this.#n.send(`${e} ${n.ifMatch??``}`,t,i=>this.context.client.post(e,t,{...n,key:i,signal:r,onWaiting:this.#t.onWaiting}))}},Ce=te`
  .status {
    padding: 2px 12px;
    border-radius: 99px;
    border: 1px solid currentColor;
    font-size: 0.85em;
    font-weight: 600;
    color: var(--accent);
  }
  .status.completed {
    color: var(--success);
  }
  .status.cancelled {
    color: var(--danger);
  }
  .session dd,
  .review p {
    white-space: pre-line;
  }
  .written {
    display: block;
  }
  blockquote {
    padding-inline-start: 14px;
    border-inline-start: 2px solid var(--line);
    white-space: pre-line;
  }
  .session .items {
    list-style: disc;
    padding-inline-start: 1.2em;
  }
  .session .actions:empty {
    display: none;
  }
  .session [aria-disabled] {
    opacity: 0.6;
    cursor: default;
  }
  .star {
    letter-spacing: 0.1em;
  }
  .history ol {
    list-style: none;
    margin-block-start: 10px;
    padding-inline-start: 14px;
    border-inline-start: 2px solid var(--line);
    display: grid;
    gap: 10px;
  }
  .history time {
    display: block;
  }
  .rating > div {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
  }
  .rating label {
    position: relative;
    display: grid;
    cursor: pointer;
  }
  .rating input {
    position: absolute;
    inset: 0;
    opacity: 0;
    min-block-size: 0;
    cursor: pointer;
  }
  .rating label span {
    padding: 8px 12px;
    border: 1px solid var(--control);
    border-radius: var(--radius);
  }
  .rating :checked + span {
    border-color: var(--accent);
    background: var(--tint);
    box-shadow: inset 0 0 0 1px var(--accent);
    font-weight: 600;
  }
  .rating :focus-visible + span {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  dialog {
    margin: auto;
    inline-size: min(560px, calc(100vw - 24px));
    max-block-size: calc(100dvh - 24px);
    overflow: auto;
    padding: calc(var(--gap) * 1.25);
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.4);
    overflow-wrap: anywhere;
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 0.5);
  }
  h2:focus {
    outline: none;
  }
  dialog textarea {
    inline-size: 100%;
  }
  @media (forced-colors: active) {
    .rating :checked + span {
      forced-color-adjust: none;
      background: Highlight;
      color: HighlightText;
    }
  }
`;function I({words:e},t){return f`<span class="star" role="img" aria-label=${e.reviewing.rated(String(t))}
    >${`★`.repeat(t)}${`☆`.repeat(5-t)}</span
  >`}function L(e){let{state:t,context:n,flow:r}=e;return{session:t.session,booking:t.booking,role:S(t),isAtOnce:D(t),mayAct:n.options.showSessionActions&&t.phase===`ready`,isBusy:t.doing!==null,error:t.error?z(e,t.error):m,send:(e,t,n)=>r.move(e,t,n),close:()=>r.closeDialog()}}function R({state:e,context:t}){return e.waiting?l({words:t.words,now:Date.now()},e.waiting):m}function z(e,t){return a(`danger`,B(e,t))}function B(e,t){if(!t)return``;let{words:n,context:r,state:i}=e;return t.code===`page`?t.message||n.page:t.code===`too_early`&&i.session?`${n.problems.too_early} ${n.startFrom(s(e,w(i.session)))}`:n.problems[t.code]??o(r.words,t)}var V=5e3,H=50,U=500,W={isOptional:!1,rows:2,maxLength:1e3},we=[1,2,3,4,5];function Te(e,t){switch(t){case`complete`:return Ee(e);case`move`:return e.flow.moving()?.renderDialog(L(e))??f`<p role="status">${e.context.words.loading}</p>`;case`cancel`:return De(e);case`review`:return ke(e);case`answer`:return Ae(e);case`no-show`:return je(e);case`series`:return Oe(e)}}function G(e,{title:t,content:n,confirm:r,keep:i,submit:o}){let{state:s,words:c,flow:l}=e,u=s.doing!==null;return ee({content:f`<h2 id="dialog-title">${t}</h2>
      ${s.notice?a(`warning`,s.notice):m} ${n} ${R(e)}
      ${s.error?z(e,s.error):m}`,confirm:r&&u?c.working:r,isBusy:u,submit:o,others:_(i,()=>l.closeDialog())})}function Ee(e){let{words:t,flow:n}=e,{form:r}=t,i={isOptional:!0,rows:3,maxLength:V};return G(e,{title:t.complete,content:f`${Y(e,`notes`,r.notes,{...i,hint:r.notesHint})}
    ${Y(e,`actionItems`,r.actionItems,{...i,hint:r.actionItemsHint,maxLength:26e3})}
    ${X(e,r.rating,!0)}
    ${Y(e,`feedback`,r.feedback,{...i,hint:r.feedbackHint})}`,confirm:t.complete,keep:r.keep,submit:e=>{let[t,i]=[Q(e,`notes`),Q(e,`feedback`)],[a,o]=[Number(e.get(`rating`)),_e(Q(e,`actionItems`))],s=o.findIndex(e=>e.length>U)+1;return s?n.refuse(`actionItems`,r.itemTooLong(s,U)):o.length>H?n.refuse(`actionItems`,r.tooManyItems(H)):n.complete({...t&&{notes:t},...a&&{rating:a},...i&&{feedback:i},...o.length&&{actionItems:o}})}})}function De(e){let{words:t,state:n,flow:r}=e,{cancelling:i}=t,{quote:a}=n,o=S(n)===`mentee`&&C(n),c={title:o?i.leaveTitle:i.title,keep:i.keep,submit:e=>r.cancel(Q(e,`reason`),e.has(`refund`),Z(e))};if(!a)return G(e,{...c,content:f`<p role="status">${i.loading}</p>`,confirm:null});if(!a.allowed){let n=a.policy?i.closed:t.noCancelling;return G(e,{...c,content:f`<p>${n}</p>`,confirm:null})}let l=a.fee.amount?i.confirmFee(b(e,a.fee)):i.confirm;return G(e,{...c,content:f`<div aria-live="polite">
        ${v([[i.fee,a.fee.amount?b(e,a.fee):i.noFee],[i.refund,a.refund.amount&&b(e,a.refund)]])}
      </div>
      ${a.freeUntil&&!a.late&&!A(a)?f`<p class="muted">${e.context.words.form.freeUntil(s(e,Date.parse(a.freeUntil)))}</p>`:m}
      ${a.creditReturned===null?m:f`<p>${y(e,a)}</p>`}
      ${a.cancelledBy!==`mentee`&&a.refund.amount?f`<p class="muted">${C(n)?i.refundToAll:i.refundToMentee}</p>`:m}
      ${o?Y(e,`reason`,i.reason,{...W,hint:i.leaveHint,isOptional:!0}):q(e)}
      ${a.cancelledBy===`mentee`&&!o&&a.refund.amount?J(i.wantRefund(b(e,a.refund))):m}`,confirm:o&&!a.fee.amount?i.confirmLeave:l})}function Oe(e){let{words:n,state:r,flow:i}=e,{series:a,cancelling:o}=n,{plan:c}=r,l={title:a.cancelTitle,keep:a.keep,submit:e=>i.cancelSeries(Q(e,`reason`),e.has(`refund`),Z(e))};if(!c){let t=r.error?m:f`<p role="status">${o.loading}</p>`;return G(e,{...l,content:t,confirm:null})}if(!c.items.length)return G(e,{...l,content:f`<p>${a.nothing}</p>`,confirm:null});let u=S(r)===`mentee`,d=c.refund?.amount?b(e,c.refund):null;return G(e,{...l,content:f`<p>${a.affected(t(e.context,c.items.length,n.plurals.dates))}</p>
      <ul class="dates" tabindex="0" aria-label=${a.dates}>
        ${c.items.map(({startTime:t,isDraft:n})=>f`<li>${s(e,Date.parse(t))} ${n?f`<small>(${a.draft})</small>`:m}</li>`)}
      </ul>
      ${v([[o.fee,c.fee?.amount?b(e,c.fee):o.noFee],[o.refund,d]])}
      ${c.credits?f`<p>${t(e.context,c.credits,n.plurals.credits)}</p>`:m} ${q(e)}
      ${u&&d?J(o.wantRefund(d)):m}`,confirm:a.confirm})}function ke(e){let{words:t,state:n,flow:r}=e,{reviewing:i}=t;return G(e,{title:i.title(n.session?.mentor?.name??``),content:f`${X(e,i.rating,!1)}
    ${Y(e,`comment`,i.comment,{hint:i.commentHint,isOptional:!0,rows:4,maxLength:V})}`,confirm:i.send,keep:t.form.keep,submit:e=>r.review(Number(e.get(`rating`))||null,Q(e,`comment`))})}function Ae(e){let{words:t,state:n,flow:r}=e,{reviewing:i}=t;return G(e,{title:i.answerTitle,content:f`${n.answering?.comment?f`<blockquote dir="auto">${n.answering.comment}</blockquote>`:m}
    ${Y(e,`answer`,i.answer,{hint:i.answerHint,isOptional:!1,rows:4,maxLength:V})}`,confirm:i.sendAnswer,keep:t.form.keep,submit:e=>r.answer(Q(e,`answer`))})}function je(e){let{words:t,state:n,flow:i}=e,{absence:a}=t,{noShow:o}=E(n),s=e=>n.session?.[e]?.name??a[e],c=o.length===1,[l]=o;return G(e,{title:l&&c?a.title(s(l)):a.titleEither,content:c?f`<p>${a.cancels} ${K(e,l,s)}</p>`:f`<p>${a.cancels}</p>
          <fieldset class="fields">
            <legend class="visually-hidden">${a.titleEither}</legend>
            ${o.map(t=>f`<label class="check"
                  ><input type="radio" name="who" value=${t} aria-invalid=${n.fieldErrors.who?`true`:m} />
                  <span>${s(t)}<br /><small class="muted">${K(e,t,s)}</small></span></label
                >`)}
            ${r(`who-error`,n.fieldErrors.who)}
          </fieldset>`,confirm:o.length?a.confirm:null,keep:t.form.keep,submit:e=>{let t=c?l:e.get(`who`);return t?i.reportNoShow(t):i.refuse(`who`,a.titleEither)}})}function K(e,t,n){let{absence:r,cancelling:i}=e.words;if(t===`mentor`)return C(e.state)?i.refundToAll:r.refundAll;let a=le(e.state);return a?e.state.booking?.bundlePurchaseId?a.percent?i.creditSpent:r.owesNothing:a.fee.amount?r.owes(n(t),b(e,a.fee)):r.owesNothing:``}function q(e){let{reason:t,reasonHint:n,type:r,types:i}=e.words.cancelling,a=ae(S(e.state));return f`${a.length?f`<div class="field">
        <label for="type">${r}</label>
        <select id="type" name="type">
          ${a.map(e=>f`<option value=${e}>${i[e]}</option>`)}
        </select>
      </div>`:m}
  ${Y(e,`reason`,t,{...W,hint:n})}`}function J(e){return f`<label class="check"><input type="checkbox" name="refund" checked /> ${e}</label>`}function Y(e,t,n,i){let{state:a}=e,{optional:o}=e.context.words.form,s=a.fieldErrors[t];return f`<div class="field">
    <label for=${t}>${n} ${i.isOptional?f`<span class="muted">(${o})</span>`:m}</label>
    <textarea
      id=${t}
      name=${t}
      rows=${i.rows}
      maxlength=${i.maxLength}
      dir="auto"
      ?required=${!i.isOptional}
      ?readonly=${a.doing!==null}
      aria-invalid=${s?`true`:`false`}
      aria-describedby="${t}-hint ${t}-error"
    ></textarea>
    <p class="muted" id="${t}-hint">${i.hint}</p>
    ${r(`${t}-error`,s)}
  </div>`}function X(e,t,n){let{words:i,state:a}=e,o=a.fieldErrors.rating,s=(e,t,n)=>f`<label><input type="radio" name="rating" value=${e||``} ?checked=${!e}
      aria-label=${n} aria-invalid=${o&&e===1?`true`:m} /><span aria-hidden="true">${t}</span></label>`;return f`<fieldset class="rating" aria-describedby="rating-error">
    <legend>${t} ${n?f`<span class="muted">(${e.context.words.form.optional})</span>`:m}</legend>
    <div>
      ${we.map(e=>s(e,f`${e} ★`,`${e} – ${i.form.stars(e)}`))}
      ${n?s(0,i.form.noRating,i.form.noRating):m}
    </div>
    ${r(`rating-error`,o)}
  </fieldset>`}function Z(e){return e.get(`type`)??void 0}function Q(e,t){return String(e.get(t)??``).trim()}function Me(e){let{state:t,words:n,context:r,flow:o}=e,{session:s,phase:c}=t,l=_(n.reload,()=>o.load());if(c===`failed`){let{signInUrl:n}=r.options,o=t.error?.status===401,s=i(n,r.words.form.signInLink,()=>r.flow.signIn());return a(`danger`,B(e,t.error),o?s:l)}let u=E(t),d=s?.status??r.options.sessionStatus;return f`<section class="result session" part="session" aria-labelledby="session-title" aria-busy=${c===`loading`}>
    <div class="head">
      <h2 id="session-title" tabindex="-1" data-focus>${s?.title??n.untitled}</h2>
      ${d&&c!==`left`?Ne(e,d):m}
    </div>
    ${c===`preparing`?f`<p class="muted" role="status">${n.preparing}</p>`:m}
    ${t.notice&&!t.dialog?f`<p class="message" part="message">${t.notice}</p>`:m}
    ${t.error&&!t.dialog?z(e,t.error):m}
    ${c===`ready`&&!S(t)?f`<div>${l}</div>`:m}
    ${t.dialog?m:R(e)}
    ${s?Pe(e,s,u):f`<span class="skeleton tall" aria-hidden="true"></span>`}
    <dialog part="dialog" aria-labelledby="dialog-title" @cancel=${()=>o.closeDialog()}>
      ${t.dialog?Te(e,t.dialog):m}
    </dialog>
  </section>`}function Ne({words:e},t){let n=e.status[t]??t;return f`<span class="status ${t}" part="status">${n}</span>`}function Pe(e,t,n){let{context:r,state:i}=e,a=r.options.showSessionActions&&i.phase===`ready`,o=t.proposal&&e.flow.moving()?.renderProposal(L(e));return f`${o??m} ${a?Fe(e,t,n):m} ${Ie(e,t)}
  ${Re(e,a)} ${Be(e,t)}`}function Fe(e,t,n){let{flow:r,words:i,state:a}=e,o=n.startsLater&&w(t),c=t.location===null||t.location.kind===`online`,l=e=>()=>r.openDialog(e),u=a.doing!==null,d=(e,t,n,r=!1)=>f`<button
      part=${r?`button primary`:`button`}
      class=${r?`primary`:``}
      data-action=${e}
      aria-disabled=${u?`true`:m}
      @click=${()=>u||n()}
    >
      ${a.doing===e&&!a.dialog?i.working:t}
    </button>`,p=[n.join&&f`<a class="button primary" part="button primary" href=${n.join} target="_blank" rel="noopener noreferrer"
        >${i.join} <span class="visually-hidden">${i.newWindow}</span></a
      >`,n.start&&d(`start`,i.start,()=>r.start(),!n.join),n.complete&&d(`complete`,i.complete,l(`complete`),!n.join),n.review&&d(`review`,i.review,l(`review`),!0),n.move&&d(`move`,i.move,l(`move`)),n.cancel&&d(`cancel`,i.cancel,l(`cancel`)),n.leave&&d(`leave`,i.leave,l(`cancel`)),n.noShow.length&&d(`no-show`,i.noShow,l(`no-show`)),n.cancelSeries&&d(`series`,i.cancelSeries,l(`series`))].filter(Boolean),h=o?(c?i.startAndJoinFrom:i.startFrom)(s(e,o)):``;return!p.length&&!h?m:f`<div class="actions">${p}</div>
    ${h?f`<p class="muted">${h}</p>`:m}`}function Ie(e,t){let{words:r,state:i,locale:a,zone:o}=e,{booking:s}=i,c=S(i),l=c===`mentor`?t.mentee?.name:t.mentor?.name,u=c===`operator`?[t.mentor?.name,t.mentee?.name].filter(Boolean).join(`, `):l,d=s&&(s.bundlePurchaseId?r.details.credit:b(e,s.price)),{form:p,result:m}=e.context.words,h=e=>e?f`<span class="written" dir="auto">${e}</span>`:null,g=t.actionItems??[];return v([[m.with,u??(C(i)&&r.details.group)],[p.when,n({locale:a,state:{zone:o}},t)],[p.where,Le(e,t)],[p.price,d],[p.terms,$(e,t)],[r.details.about,h(t.description)],...(t.answers??[]).map(({label:e,value:t})=>[e,h(typeof t==`string`?t:t?r.details.yes:r.details.no)]),[r.details.notes,h(t.notes)],[r.details.actionItems,g.length&&f`<ul class="items">${g.map(e=>f`<li dir="auto">${e}</li>`)}</ul>`],[r.details.rating,t.rating&&I(e,t.rating)],[r.details.feedback,t.feedback&&f`${h(t.feedback)}<span class="muted">${r.details.private}</span>`]])}function Le({words:e,context:t},n){let{location:r}=n;return!r||r.kind===`online`?t.words.form.online:r.value?r.kind===`phone`?f`<a href="tel:${r.value.replace(/[^\d+]/g,``)}">${r.value}</a>`:O(r.value)?f`<a href=${r.value} rel="noopener">${r.value}</a>`:r.value:e.details.sharedOtherwise}function $(e,t){let{words:n,state:r}=e;if(t.status!==`scheduled`||r.phase===`left`||S(r)!==`mentee`||!r.quote)return null;if(!r.quote.allowed)return n.noCancelling;let{freeUntil:i,late:a,fee:o}=r.quote;return A(r.quote)?e.context.words.form.alwaysFree:a?o.amount?`${n.cancelling.fee}: ${b(e,o)}`:n.cancelling.noFee:i?e.context.words.form.freeUntil(s(e,Date.parse(i))):null}function Re(e,t){let{words:n,state:r}=e,{reviews:i,permit:a}=r;return a?f`<p class="muted">${n.reviewing.until(s(e,Date.parse(a.expiresAt)))}</p>`:f`${i.map((n,r)=>ze(e,n,`review-${r}`,t))}`}function ze(e,t,n,r){let{words:i,state:a,flow:o}=e,{reviewing:s}=i,c=a.reviews.length===1,l=S(a)===`mentee`?s.yours:c?s.theirs:s.by(t.reviewer),u=r&&t.answeredAt===null&&S(a)===`mentor`;return f`<section class="review" aria-labelledby=${n}>
    <h3 id=${n}>${l}</h3>
    <p>${I(e,t.rating)}</p>
    ${t.comment?f`<p dir="auto">${t.comment}</p>`:m}
    ${t.answer?f`<p class="muted">${s.answer}: <bdi>${t.answer}</bdi></p>`:m}
    ${t.hidden?f`<p class="muted">${s.hidden(t.hiddenReason??``)}</p>`:m}
    ${u?f`<div class="actions">
          <button part="button" data-action="answer" aria-describedby=${n} @click=${()=>o.openDialog(`answer`,t)}>
            ${i.answer}
          </button>
        </div>`:m}
  </section>`}function Be(e,t){return f`<details class="history" part="history">
    <summary>${e.words.history.title}</summary>
    <ol>
      ${me(e.state).map(n=>f`<li>
          <b>${Ve(e,t,n.kind)}</b>
          <time datetime=${n.at} class="muted">${s(e,Date.parse(n.at))}</time>
          ${n.kind===`cancelled`?He(e,t):m}
        </li>`)}
    </ol>
  </details>`}function Ve(e,t,n){let{history:r,status:i}=e.words;if(n!==`cancelled`)return r[n];let a=t.cancellation?.cancelledBy;if(!a)return i.cancelled;let o=a===`mentor`?t.mentor?.name:a===`mentee`?t.mentee?.name:void 0;return t.cancellation?.type===`not_held`?r.notHeld:t.cancellation?.type===`no_show`&&o?r.noShow(o):a===S(e.state)?r.cancelled.you:a===`operator`||a===`system`?r.cancelled[a]:o?r.cancelledBy(o):i.cancelled}function He(e,{cancellation:t}){if(!t)return m;let{history:n}=e.words,{reason:r,fee:i,refund:a,late:o}=t,s=[i?.amount?`${n.fee(b(e,i))}${o?` (${n.late})`:``}`:null,a?.amount?n.refund(b(e,a)):null,y(e,t),r?n.reason(r):null];return f`${s.map(e=>e?f`<p class="muted">${e}</p>`:m)}`}var Ue=class{#e;constructor(e,t){this.context=e,this.words=t,c(e.element,e.signal,Ce),this.#e=new Se(e,t),g(e.element,e.signal,this.#e.store),new We(e,this.#e)}render(e,t){queueMicrotask(()=>this.#e.open(e));let{context:n,words:r}=this,i=this.#e,{zone:a}=n.store.state;return Me({context:n,flow:i,state:i.store.state,words:r(),locale:t,zone:a})}changed(e){this.#e.changed(e)}},We=class{constructor(e,t){this.context=e,this.flow=t,e.element.addController(this),e.signal.addEventListener(`abort`,()=>e.element.removeController(this))}hostUpdated(){let e=this.context.element.shadowRoot?.querySelector(`.session dialog`);if(!e)return;let t=this.flow.store.state.dialog!==null;t&&!e.open&&e.showModal(),!t&&e.open&&e.close()}};export{Ue as SessionPart};