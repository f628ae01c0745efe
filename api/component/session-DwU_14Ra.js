import{ApiError as e,C as t,D as n,G as r,K as i,L as a,Q as o,Y as s,_ as c,b as l,f as u,h as d,m as f,n as p,q as m,t as h,w as g,x as _,z as ee}from"./session-booking.js";import{Keys as te,creditText as v,mapSome as ne,n as re,r as y,renderPartForm as ie}from"./enhanced-BZGd4bpK.js";var ae=4;async function oe(e,t,n,r){let i=await se(e,t,n,r),a=await ne(i,ae,async({status:t,sessionId:n})=>t!==`accepted`||!n?null:e.get(`/sessions/${n}/cancellation-quote`,{},{signal:r})),o=a.filter(e=>e?.allowed).map(e=>e);return{items:i.flatMap(({startTime:e,status:t},r)=>{let i=t===`draft`&&n!==`operator`;return i||a[r]?.allowed?{startTime:e,isDraft:i}:[]}),fee:b(o.map(e=>e.fee)),refund:b(o.map(e=>e.refund)),credits:o.filter(re).length}}async function se(e,t,n,r){let{seriesId:a,listingId:o,from:s}=t,c={role:n===`operator`?null:n,from:s,listingId:o,order:`asc`},l=[];for await(let t of i(e,`/bookings`,c,{signal:r}))t.seriesId===a&&l.push(t);return l}function b(e){let[t]=e;return t?{currency:t.currency,amount:e.reduce((e,{amount:t})=>e+t,0)}:null}async function ce(e,t,n,r){let i=n?await le(e,t,r):null;if(i)return{permit:i,reviews:[]};let a={sessionId:t.id,limit:100},{items:o}=await e.get(`/mentors/${t.mentorProfileId}/reviews`,a,{signal:r});return{permit:i,reviews:o}}async function le(e,t,n){for await(let r of i(e,`/reviews/permits`,{},{signal:n}))if(r.sessionId===t.id)return r;return null}function x(e=Date.now()){return{phase:`loading`,session:null,tag:null,booking:null,quote:null,permit:null,reviews:[],plan:null,dialog:null,answering:null,doing:null,waiting:null,error:null,fieldErrors:{},notice:null,now:e}}function S(e){let t=e.quote?.cancelledBy;return t&&t!==`system`?t:null}function ue(e){return e!==`mentee`&&e!==`mentor`?[]:[e===`mentee`?`client_request`:`coach_request`,`emergency`,`other`]}function C({session:e,booking:t}){return t?t.kind===`group`:e!==null&&e.menteeUserId===null}function w(e){return e.earlyStartMinutes===null?-1/0:Date.parse(e.startTime)-e.earlyStartMinutes*6e4}var de=9e5;function T({startTime:e}){return Date.parse(e)+de}function E(e){let{session:t,now:n}=e,r=S(e),i=t?.status,a=r===`mentee`||r===`mentor`,o=t!==null&&n>=w(t),s=r===`mentee`&&C(e),c=i===`scheduled`&&e.quote?.allowed===!0;return{join:t?.joinUrl&&D(t.joinUrl)?t.joinUrl:null,start:i===`scheduled`&&a&&o,startsLater:i===`scheduled`&&a&&!o,complete:i===`in_progress`&&(r===`mentor`||r===`operator`),cancel:c&&!s,leave:c&&s,noShow:i===`scheduled`&&n>=T(t)?fe(e):[],review:i===`completed`&&e.permit!==null&&!e.reviews.length,answer:r===`mentor`&&e.reviews.some(e=>e.answeredAt===null),cancelSeries:!!e.booking?.seriesId&&r!==null&&i===`scheduled`}}function fe(e){let t=C(e)?[`mentor`]:[`mentee`,`mentor`];return S(e)===null?[]:t.filter(t=>t!==S(e))}function pe({booking:e,quote:t}){if(!e||!t)return null;let n=t.noShowFeePercent;return{percent:n,fee:{...e.price,amount:Math.floor((e.price.amount*n+50)/100)}}}function D(e){return/^https?:\/\//i.test(e)}var O=6e4,me=18e5,he=36e5,ge=216e5;function _e(e,t,n,r){let{status:i}=e;if(i===`completed`||i===`cancelled`)return null;let a=i===`scheduled`?[T(e),Date.parse(r??``)]:[],o=[w(e),...a],s=Math.min(...o.map(e=>e>t?e-t+500:1/0)),c=Date.parse(e.startTime)-me,l=t>Date.parse(e.endTime)+ge,u=n||l?1/0:i===`in_progress`||t>c?O:c-t,d=Math.min(s,u);return d===1/0?null:Math.min(d,he)}function ve({session:e,booking:t,reviews:n}){if(!e)return[];let r=[[t!==null&&Date.parse(e.createdAt)-Date.parse(t.createdAt)>O?t.createdAt:null,`requested`],[e.createdAt,`booked`],[e.startedAt,`started`],[e.completedAt,`completed`],[e.cancelledAt,`cancelled`],[e.cancellation?.waivedAt,`waived`]];for(let{createdAt:e,answeredAt:t}of n)r.push([e,`reviewed`],[t,`answered`]);return r.flatMap(([e,t])=>e?[{at:e,kind:t}]:[]).sort((e,t)=>Date.parse(e.at)-Date.parse(t.at))}function k({allowed:e,fee:t,refund:n,creditReturned:r,policy:i}){let a=t.amount>0||n.amount>0||r!==null;return e&&(!a||i?.lateFeePercent===0)}function A(e,t){return e.allowed===t.allowed&&e.fee.amount===t.fee.amount&&e.refund.amount===t.refund.amount&&e.creditReturned===t.creditReturned}var j={start:`in_progress`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`};function M(e){return e.split(`
`).flatMap(e=>e.trim()||[])}function N(e,t,n){let r={};for(let[i,a]of Object.entries(e)){let[e=``,o]=i.split(`.`),s=a.map(e=>o===void 0?n(e):t(String(Number(o)+1),n(e)));r[e]=[...r[e]??[],...s]}return r}var P=30,F=6e4,ye=3e3,be=6e4,xe=class{#e;#t;#n;constructor(e,t,n){this.context=e,this.store=t,this.words=n,this.#e=``,this.#n=0,this.onWaiting=e=>{this.store.state.doing&&this.store.update({waiting:e})}}open(e){this.#e=e;let{signal:t}=this.context;t.addEventListener(`abort`,()=>clearTimeout(this.#t)),document.addEventListener(`visibilitychange`,()=>{let{session:e,doing:t}=this.store.state;!document.hidden&&e&&!t&&Date.now()-this.#n>be&&this.readLater()},{signal:t})}readLater(){this.read().catch(()=>this.schedule())}async read(){let{signal:t}=this.context;for(let n=1;;n++)try{let e=null,n={signal:t,onTag:t=>e=t},r=await this.context.client.get(`/sessions/${this.#e}`,{},n);this.#n=Date.now(),this.context.telemetry.loaded();let i=this.store.state.session;if(i&&Date.parse(i.updatedAt)>Date.parse(r.updatedAt))return this.schedule();this.#i(r),this.store.update({session:r,tag:e,phase:`ready`,now:Date.now()}),await this.readRest(r);return}catch(i){if(!(i instanceof e)||i.code!==`session_pending`||n>=P)throw i;this.store.update({phase:`preparing`}),await r((i.retryAfter??1)*1e3,t)}}async readRest(t){let{client:n,signal:r}=this.context,i=null,[a,o]=await Promise.all([n.get(`/bookings/${t.bookingId}`,{},{signal:r}).catch(()=>this.store.state.booking),this.quote().catch(t=>(i=e.ofPage(t),this.store.state.quote))]);if(r.aborted)return;let s=this.store.state.quote!==null;this.store.update({booking:a,quote:o,now:Date.now()}),s||this.store.update({error:o?null:i}),this.schedule(),t.status===`completed`&&this.#r(t,r).catch(()=>void 0)}async#r(e,t){let n=Date.parse(e.completedAt??``);for(;;){let i=await ce(this.context.client,e,S(this.store.state)===`mentee`,t);if(this.store.update(i),i.permit||i.reviews.length||Date.now()-n>F)return;await r(ye,t)}}plan(){let{session:e,booking:t}=this.store.state,n={seriesId:t?.seriesId,listingId:t?.listingId,from:e?.startTime};return oe(this.context.client,n,S(this.store.state),this.context.signal)}quote(){let e={signal:this.context.signal,onWaiting:this.onWaiting};return this.context.client.get(`/sessions/${this.#e}/cancellation-quote`,{},e)}schedule(){clearTimeout(this.#t);let{session:e,phase:t,quote:n}=this.store.state;if(!e||t!==`ready`)return;let{realtime:r}=this.context,i=_e(e,Date.now(),r?.followsSessions??!1,n?.freeUntil);if(i===null)return;let{signal:a}=this.context;this.#t=setTimeout(()=>{a.aborted||(document.hidden||this.store.state.doing?this.schedule():this.readLater())},i)}#i(e){let{session:t,doing:n}=this.store.state;if(!t||n||t.status===e.status)return;let r=this.words(),i=r.changed(r.status[e.status]);this.store.update({notice:i,dialog:null}),this.context.announce(i)}},Se=6e4,I={start:`started`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`},Ce=new Set([`already_reviewed`,`already_answered`,`review_not_open`]),we=class{#e;#t;#n;#r;constructor(e,t){this.context=e,this.words=t,this.store=new h(x()),this.#e=null,this.#r=null,this.#n=new te(e.client),this.#t=new xe(e,this.store,t)}open(e){e!==this.#e&&(this.#e=e,this.store.update(x()),this.#t.open(e),this.load())}async load(){let{signal:t}=this.context;this.store.update({error:null,phase:this.store.state.session?`ready`:`loading`});try{await this.#t.read()}catch(n){if(t.aborted)return;let r=e.ofPage(n);this.store.update({error:r,phase:this.store.state.session?`ready`:`failed`}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`session`})}}changed(e){let{session:t,doing:n,phase:r}=this.store.state;e.id===this.#e&&t?.updatedAt!==e.updatedAt&&r!==`left`&&(n?this.#r=e:t?this.#t.readLater():this.load())}openDialog(e,t=null){this.store.update({dialog:e,answering:t,error:null,fieldErrors:{},notice:null,plan:null}),e===`cancel`&&this.#m(e,async()=>this.store.update({quote:await this.#t.quote()})),e===`series`&&this.#m(e,async()=>this.store.update({plan:await this.#t.plan()}))}closeDialog(){this.store.state.dialog&&this.store.update({dialog:null,error:null,fieldErrors:{}})}refuse(e,t){this.store.update({fieldErrors:{[e]:[t]}})}start(){let{onStart:e}=this.context.options.sessionActions??{};return this.#a(`start`,e&&(()=>e(this.#i)),{})}complete(e){let{onComplete:t}=this.context.options.sessionActions??{};return this.#a(`complete`,t&&(()=>t(this.#i,e)),e)}async cancel(t,n,r){let{quote:i,doing:a}=this.store.state,o=this.words();if(a)return;let s=E(this.store.state).leave?`leave`:`cancel`;if(s===`cancel`&&!t.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);let{onCancel:c}=this.context.options.sessionActions??{};if(c)return this.#a(s,()=>c(this.#i,t,r),{});await this.#f(s,async()=>{let a=await this.#t.quote();if(i?.allowed&&!a.allowed)throw new e(412,`stale`);if(i&&!A(i,a)){this.store.update({quote:a,notice:o.cancelling.costChanged});return}if(s===`leave`)return this.#l(t);let c={reason:t,type:r,...a.cancelledBy===`mentee`&&a.refund.amount>0&&{refundRequested:n}};this.#c(s,await this.#s(s,c))})}async review(e,t){let n=this.words();if(!e)return this.refuse(`rating`,n.reviewing.ratingMissing);await this.#f(`review`,async()=>{let n={rating:e,...t.trim()&&{comment:t.trim()}},r=await this.#h(`/sessions/${this.#i}/review`,n);this.store.update({reviews:[r],permit:null}),this.#d(`review`)})}async reportNoShow(e){await this.#f(`no-show`,async()=>{this.#c(`no-show`,await this.#s(`no-show`,{who:e}))})}async answer(e){let{answering:t}=this.store.state;if(!e)return this.refuse(`answer`,this.words().reviewing.answerMissing);await this.#f(`answer`,async()=>{let n={answer:e,reviewId:t?.id},r=await this.#h(`/sessions/${this.#i}/review/answer`,n),i=this.store.state.reviews.map(e=>e.id===r.id?r:e);this.store.update({reviews:i}),this.#d(`answer`)})}async cancelSeries(e,t,n){let{session:r,booking:i,plan:a}=this.store.state,o=this.words();if(!e.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);await this.#f(`series`,async()=>{let s=await this.#t.plan();if(JSON.stringify(s)!==JSON.stringify(a))return this.store.update({plan:s,notice:o.cancelling.costChanged});let c={from:r?.startTime,reason:e,type:n,refundRequested:t},{kept:l}=await this.#h(`/series/${i?.seriesId}/cancel`,c);if(await this.#t.read(),this.#d(`series`),l.length){let e=d(this.context,l.length,o.plurals.dates);this.store.update({notice:`${o.done.series} ${o.series.kept(e)}`})}let u=this.store.state.session;u?.status===`cancelled`&&this.#u(`cancel`,u)})}get#i(){return this.#e??``}async#a(e,t,n){let{session:r}=this.store.state;await this.#f(e,async()=>{let i=j[e];if(this.context.options.optimistic&&r&&i&&this.store.update({session:{...r,status:i}}),!t)return this.#c(e,await this.#s(e,n));await this.#o(t),await this.#t.read();let a=this.store.state.session;a&&a.status===i?this.#c(e,a):this.store.update({dialog:null})})}async#o(t){let{signal:n}=this.context,i=Promise.resolve(t());if(await Promise.race([i.then(()=>!1),r(Se,n).then(()=>!0)]))throw i.then(()=>n.aborted?void 0:this.load(),()=>void 0),new e(0,`timeout`)}#s(e,t){let{tag:n}=this.store.state;return this.#h(`/sessions/${this.#i}/${e}`,t,{ifMatch:n,onTag:e=>this.store.update({tag:e})})}#c(e,t){this.store.update({session:t}),this.#d(e),e in I&&this.#u(e,t),this.#t.readRest(t).catch(()=>void 0)}async#l(e){let{session:t}=this.store.state;await this.#h(`/group-sessions/${t?.bookingId}/leave`,e?{reason:e}:{}),this.store.update({phase:`left`}),this.#d(`leave`),t&&this.#u(`cancel`,t)}#u(e,t){this.context.emit(I[e],{session:t}),this.context.flow.sessionChanged(t)}#d(e){let t=this.words().done[e];this.store.update({dialog:null,notice:t,error:null,fieldErrors:{},now:Date.now()}),this.context.announce(t),this.#t.schedule()}async#f(t,n){let{session:r,tag:i,doing:a}=this.store.state;if(a)return;let{signal:o}=this.context;this.store.update({doing:t,error:null,fieldErrors:{},notice:null});try{await n()}catch(n){if(o.aborted)return;this.store.update({session:r,tag:i}),await this.#p(t,e.ofPage(n))}finally{if(!o.aborted){this.store.update({doing:null,waiting:null});let e=this.#r;this.#r=null,e&&this.changed(e)}}}async#p(e,t){let n=e===`start`||e===`complete`||e===`cancel`?e:`session`;if(t.code!==`page`&&this.context.telemetry.failed(t),this.context.emit(`failed`,{error:t,during:n}),t.status===412||t.code===`invalid_transition`){await this.#t.read().catch(()=>void 0);let t=E(this.store.state);({...t,series:t.cancelSeries,"no-show":t.noShow.length>0})[e]||this.store.update({dialog:null})}Ce.has(t.code)&&(this.store.update({dialog:null}),await this.#t.read().catch(()=>void 0)),this.store.update({error:t,fieldErrors:N(t.details,this.words().form.line,this.context.words.reason)})}async#m(t,n){let{signal:r}=this.context;try{await n()}catch(n){!r.aborted&&this.store.state.dialog===t&&this.store.update({error:e.ofPage(n)})}}#h(e,t,n={}){let{signal:r}=this.context;return this.#n.send(`${e} ${n.ifMatch??``}`,t,i=>this.context.client.post(e,t,{...n,key:i,signal:r,onWaiting:this.#t.onWaiting}))}},Te=o`
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
`;function L({words:e},t){return s`<span class="star" role="img" aria-label=${e.reviewing.rated(String(t))}
    >${`★`.repeat(t)}${`☆`.repeat(5-t)}</span
  >`}function R({state:e,context:t}){return e.waiting?n({words:t.words,now:Date.now()},e.waiting):m}function z(e,t){return l(`danger`,B(e,t))}function B(e,t){if(!t)return``;let{words:n,context:r,state:i}=e;return t.code===`page`?t.message||n.page:t.code===`too_early`&&i.session?`${n.problems.too_early} ${n.startFrom(_(e,w(i.session)))}`:n.problems[t.code]??c(r.words,t)}var V=5e3,H=50,U=500,W={isOptional:!1,rows:2,maxLength:1e3},Ee=[1,2,3,4,5];function De(e,t){switch(t){case`complete`:return Oe(e);case`cancel`:return ke(e);case`review`:return je(e);case`answer`:return Me(e);case`no-show`:return Ne(e);case`series`:return Ae(e)}}function G(e,{title:t,content:n,confirm:r,keep:i,submit:a}){let{state:o,words:c,flow:u}=e,d=o.doing!==null;return ie({content:s`<h2 id="dialog-title">${t}</h2>
      ${o.notice?l(`warning`,o.notice):m} ${n} ${R(e)}
      ${o.error?z(e,o.error):m}`,confirm:r&&d?c.working:r,isBusy:d,submit:a,others:f(i,()=>u.closeDialog())})}function Oe(e){let{words:t,flow:n}=e,{form:r}=t,i={isOptional:!0,rows:3,maxLength:V};return G(e,{title:t.complete,content:s`${Y(e,`notes`,r.notes,{...i,hint:r.notesHint})}
    ${Y(e,`actionItems`,r.actionItems,{...i,hint:r.actionItemsHint,maxLength:26e3})}
    ${X(e,r.rating,!0)}
    ${Y(e,`feedback`,r.feedback,{...i,hint:r.feedbackHint})}`,confirm:t.complete,keep:r.keep,submit:e=>{let[t,i]=[Q(e,`notes`),Q(e,`feedback`)],[a,o]=[Number(e.get(`rating`)),M(Q(e,`actionItems`))],s=o.findIndex(e=>e.length>U)+1;return s?n.refuse(`actionItems`,r.itemTooLong(s,U)):o.length>H?n.refuse(`actionItems`,r.tooManyItems(H)):n.complete({...t&&{notes:t},...a&&{rating:a},...i&&{feedback:i},...o.length&&{actionItems:o}})}})}function ke(e){let{words:t,state:n,flow:r}=e,{cancelling:i}=t,{quote:a}=n,o=S(n)===`mentee`&&C(n),c={title:o?i.leaveTitle:i.title,keep:i.keep,submit:e=>r.cancel(Q(e,`reason`),e.has(`refund`),Z(e))};if(!a)return G(e,{...c,content:s`<p role="status">${i.loading}</p>`,confirm:null});if(!a.allowed){let n=a.policy?i.closed:t.noCancelling;return G(e,{...c,content:s`<p>${n}</p>`,confirm:null})}let l=a.fee.amount?i.confirmFee(y(e,a.fee)):i.confirm;return G(e,{...c,content:s`<dl class="summary" part="summary" aria-live="polite">
        <div><dt>${i.fee}</dt><dd>${a.fee.amount?y(e,a.fee):i.noFee}</dd></div>
        ${a.refund.amount?s`<div><dt>${i.refund}</dt><dd>${y(e,a.refund)}</dd></div>`:m}
      </dl>
      ${a.freeUntil&&!a.late&&!k(a)?s`<p class="muted">${t.freeUntil(_(e,Date.parse(a.freeUntil)))}</p>`:m}
      ${a.creditReturned===null?m:s`<p>${v(e,a)}</p>`}
      ${a.cancelledBy!==`mentee`&&a.refund.amount?s`<p class="muted">${C(n)?i.refundToAll:i.refundToMentee}</p>`:m}
      ${o?Y(e,`reason`,i.reason,{...W,hint:i.leaveHint,isOptional:!0}):q(e)}
      ${a.cancelledBy===`mentee`&&!o&&a.refund.amount?J(i.wantRefund(y(e,a.refund))):m}`,confirm:o&&!a.fee.amount?i.confirmLeave:l})}function Ae(e){let{words:t,state:n,flow:r}=e,{series:i,cancelling:a}=t,{plan:o}=n,c={title:i.cancelTitle,keep:i.keep,submit:e=>r.cancelSeries(Q(e,`reason`),e.has(`refund`),Z(e))};if(!o){let t=n.error?m:s`<p role="status">${a.loading}</p>`;return G(e,{...c,content:t,confirm:null})}if(!o.items.length)return G(e,{...c,content:s`<p>${i.nothing}</p>`,confirm:null});let l=S(n)===`mentee`,u=o.refund?.amount?y(e,o.refund):null;return G(e,{...c,content:s`<p>${i.affected(d(e.context,o.items.length,t.plurals.dates))}</p>
      <ul class="dates" tabindex="0" aria-label=${i.dates}>
        ${o.items.map(({startTime:t,isDraft:n})=>s`<li>${_(e,Date.parse(t))} ${n?s`<small>(${i.draft})</small>`:m}</li>`)}
      </ul>
      <dl class="summary" part="summary">
        <div><dt>${a.fee}</dt><dd>${o.fee?.amount?y(e,o.fee):a.noFee}</dd></div>
        ${u?s`<div><dt>${a.refund}</dt><dd>${u}</dd></div>`:m}
      </dl>
      ${o.credits?s`<p>${d(e.context,o.credits,t.plurals.credits)}</p>`:m} ${q(e)}
      ${l&&u?J(a.wantRefund(u)):m}`,confirm:i.confirm})}function je(e){let{words:t,state:n,flow:r}=e,{reviewing:i}=t;return G(e,{title:i.title(n.session?.mentor?.name??``),content:s`${X(e,i.rating,!1)}
    ${Y(e,`comment`,i.comment,{hint:i.commentHint,isOptional:!0,rows:4,maxLength:V})}`,confirm:i.send,keep:t.form.keep,submit:e=>r.review(Number(e.get(`rating`))||null,Q(e,`comment`))})}function Me(e){let{words:t,state:n,flow:r}=e,{reviewing:i}=t;return G(e,{title:i.answerTitle,content:s`${n.answering?.comment?s`<blockquote dir="auto">${n.answering.comment}</blockquote>`:m}
    ${Y(e,`answer`,i.answer,{hint:i.answerHint,isOptional:!1,rows:4,maxLength:V})}`,confirm:i.sendAnswer,keep:t.form.keep,submit:e=>r.answer(Q(e,`answer`))})}function Ne(e){let{words:n,state:r,flow:i}=e,{absence:a}=n,{noShow:o}=E(r),c=e=>r.session?.[e]?.name??a[e],l=o.length===1,[u]=o;return G(e,{title:u&&l?a.title(c(u)):a.titleEither,content:l?s`<p>${a.cancels} ${K(e,u,c)}</p>`:s`<p>${a.cancels}</p>
          <fieldset class="fields">
            <legend class="visually-hidden">${a.titleEither}</legend>
            ${o.map(t=>s`<label class="check"
                  ><input type="radio" name="who" value=${t} aria-invalid=${r.fieldErrors.who?`true`:m} />
                  <span>${c(t)}<br /><small class="muted">${K(e,t,c)}</small></span></label
                >`)}
            ${t(`who-error`,r.fieldErrors.who)}
          </fieldset>`,confirm:o.length?a.confirm:null,keep:n.form.keep,submit:e=>{let t=l?u:e.get(`who`);return t?i.reportNoShow(t):i.refuse(`who`,a.titleEither)}})}function K(e,t,n){let{absence:r,cancelling:i}=e.words;if(t===`mentor`)return C(e.state)?i.refundToAll:r.refundAll;let a=pe(e.state);return a?e.state.booking?.bundlePurchaseId?a.percent?i.creditSpent:r.owesNothing:a.fee.amount?r.owes(n(t),y(e,a.fee)):r.owesNothing:``}function q(e){let{reason:t,reasonHint:n,type:r,types:i}=e.words.cancelling,a=ue(S(e.state));return s`${a.length?s`<div class="field">
        <label for="type">${r}</label>
        <select id="type" name="type">
          ${a.map(e=>s`<option value=${e}>${i[e]}</option>`)}
        </select>
      </div>`:m}
  ${Y(e,`reason`,t,{...W,hint:n})}`}function J(e){return s`<label class="check"><input type="checkbox" name="refund" checked /> ${e}</label>`}function Y(e,n,r,i){let{words:a,state:o}=e,c=o.fieldErrors[n];return s`<div class="field">
    <label for=${n}>${r} ${i.isOptional?s`<span class="muted">(${a.form.optional})</span>`:m}</label>
    <textarea
      id=${n}
      name=${n}
      rows=${i.rows}
      maxlength=${i.maxLength}
      dir="auto"
      ?required=${!i.isOptional}
      ?readonly=${o.doing!==null}
      aria-invalid=${c?`true`:`false`}
      aria-describedby="${n}-hint ${n}-error"
    ></textarea>
    <p class="muted" id="${n}-hint">${i.hint}</p>
    ${t(`${n}-error`,c)}
  </div>`}function X(e,n,r){let{words:i,state:a}=e,o=a.fieldErrors.rating,c=(e,t,n)=>s`<label><input type="radio" name="rating" value=${e||``} ?checked=${!e}
      aria-label=${n} aria-invalid=${o&&e===1?`true`:m} /><span aria-hidden="true">${t}</span></label>`;return s`<fieldset class="rating" aria-describedby="rating-error">
    <legend>${n} ${r?s`<span class="muted">(${i.form.optional})</span>`:m}</legend>
    <div>
      ${Ee.map(e=>c(e,s`${e} ★`,`${e} – ${i.form.stars(e)}`))}
      ${r?c(0,i.form.noRating,i.form.noRating):m}
    </div>
    ${t(`rating-error`,o)}
  </fieldset>`}function Z(e){return e.get(`type`)??void 0}function Q(e,t){return String(e.get(t)??``).trim()}function Pe(e){let{state:t,words:n,context:r,flow:i}=e,{session:a,phase:o}=t,c=f(n.reload,()=>i.load());if(o===`failed`){let{signInUrl:n}=r.options,i=t.error?.status===401,a=g(n,r.words.form.signInLink,()=>r.flow.signIn());return l(`danger`,B(e,t.error),i?a:c)}let u=E(t),d=a?.status??r.options.sessionStatus;return s`<section class="result session" part="session" aria-labelledby="session-title" aria-busy=${o===`loading`}>
    <div class="head">
      <h2 id="session-title" tabindex="-1" data-focus>${a?.title??n.untitled}</h2>
      ${d&&o!==`left`?Ie(e,d):m}
    </div>
    ${o===`preparing`?s`<p class="muted" role="status">${n.preparing}</p>`:m}
    ${t.notice&&!t.dialog?s`<p class="message" part="message">${t.notice}</p>`:m}
    ${t.error&&!t.dialog?z(e,t.error):m}
    ${o===`ready`&&!S(t)?s`<div>${c}</div>`:m}
    ${t.dialog?m:R(e)}
    ${a?Le(e,a,u):s`<span class="skeleton tall" aria-hidden="true"></span>`}
    <dialog
      part="dialog"
      aria-labelledby="dialog-title"
      @close=${e=>Fe(e.currentTarget,i)}
    >
      ${t.dialog?De(e,t.dialog):m}
    </dialog>
  </section>`}function Fe(e,t){e.open||t.closeDialog()}function Ie({words:e},t){let n=e.status[t]??t;return s`<span class="status ${t}" part="status">${n}</span>`}function Le(e,t,n){let{context:r,state:i}=e,a=r.options.showSessionActions&&i.phase===`ready`;return s`${a?$(e,t,n):m} ${Re(e,t)}
  ${Ve(e,a)} ${Ue(e,t)}`}function $(e,t,n){let{flow:r,words:i,state:a}=e,o=n.startsLater&&w(t),c=t.location===null||t.location.kind===`online`,l=e=>()=>r.openDialog(e),u=a.doing!==null,d=(e,t,n,r=!1)=>s`<button
      part=${r?`button primary`:`button`}
      class=${r?`primary`:``}
      data-action=${e}
      aria-disabled=${u?`true`:m}
      @click=${()=>u||n()}
    >
      ${a.doing===e&&!a.dialog?i.working:t}
    </button>`,f=[n.join&&s`<a class="button primary" part="button primary" href=${n.join} target="_blank" rel="noopener noreferrer"
        >${i.join} <span class="visually-hidden">${i.newWindow}</span></a
      >`,n.start&&d(`start`,i.start,()=>r.start(),!n.join),n.complete&&d(`complete`,i.complete,l(`complete`),!n.join),n.review&&d(`review`,i.review,l(`review`),!0),n.cancel&&d(`cancel`,i.cancel,l(`cancel`)),n.leave&&d(`leave`,i.leave,l(`cancel`)),n.noShow.length&&d(`no-show`,i.noShow,l(`no-show`)),n.cancelSeries&&d(`series`,i.cancelSeries,l(`series`))].filter(Boolean),p=o?(c?i.startAndJoinFrom:i.startFrom)(_(e,o)):``;return!f.length&&!p?m:s`<div class="actions">${f}</div>
    ${p?s`<p class="muted">${p}</p>`:m}`}function Re(e,t){let{words:n,state:r,locale:i,zone:o}=e,{booking:c}=r,l=S(r),u=l===`mentor`?t.mentee?.name:t.mentor?.name,d=l===`operator`?[t.mentor?.name,t.mentee?.name].filter(Boolean).join(`, `):u,f=a(Date.parse(t.startTime),Date.parse(t.endTime),i,o),p=c&&(c.bundlePurchaseId?n.details.credit:y(e,c.price)),h=(e,t)=>t?s`<div><dt>${e}</dt><dd>${t}</dd></div>`:m,g=e=>e?s`<span class="written" dir="auto">${e}</span>`:m,_=t.actionItems??[];return s`<dl class="summary" part="summary">
    ${h(n.details.with,d??(C(r)?n.details.group:null))}
    ${h(n.details.when,s`${f}<br /><span class="muted">${ee(o,i,Date.parse(t.startTime))}</span>`)}
    ${h(n.details.where,ze(e,t))} ${h(n.details.price,p)}
    ${h(n.details.terms,Be(e,t))} ${h(n.details.about,t.description&&g(t.description))}
    ${h(n.details.notes,t.notes&&g(t.notes))}
    ${h(n.details.actionItems,_.length?s`<ul class="items">${_.map(e=>s`<li dir="auto">${e}</li>`)}</ul>`:null)}
    ${h(n.details.rating,t.rating?L(e,t.rating):null)}
    ${h(n.details.feedback,t.feedback&&s`${g(t.feedback)}<span class="muted">${n.details.private}</span>`)}
  </dl>`}function ze({words:e,context:t},n){let{location:r}=n;return!r||r.kind===`online`?t.words.form.online:r.value?r.kind===`phone`?s`<a href="tel:${r.value.replace(/[^\d+]/g,``)}">${r.value}</a>`:D(r.value)?s`<a href=${r.value} rel="noopener">${r.value}</a>`:r.value:e.details.sharedOtherwise}function Be(e,t){let{words:n,state:r}=e;if(t.status!==`scheduled`||r.phase===`left`||S(r)!==`mentee`||!r.quote)return null;if(!r.quote.allowed)return n.noCancelling;let{freeUntil:i,late:a,fee:o}=r.quote;return k(r.quote)?n.alwaysFree:a?o.amount?`${n.cancelling.fee}: ${y(e,o)}`:n.cancelling.noFee:i?n.freeUntil(_(e,Date.parse(i))):null}function Ve(e,t){let{words:n,state:r}=e,{reviews:i,permit:a}=r;return a?s`<p class="muted">${n.reviewing.until(_(e,Date.parse(a.expiresAt)))}</p>`:s`${i.map((n,r)=>He(e,n,`review-${r}`,t))}`}function He(e,t,n,r){let{words:i,state:a,flow:o}=e,{reviewing:c}=i,l=a.reviews.length===1,u=S(a)===`mentee`?c.yours:l?c.theirs:c.by(t.reviewer),d=r&&t.answeredAt===null&&S(a)===`mentor`;return s`<section class="review" aria-labelledby=${n}>
    <h3 id=${n}>${u}</h3>
    <p>${L(e,t.rating)}</p>
    ${t.comment?s`<p dir="auto">${t.comment}</p>`:m}
    ${t.answer?s`<p class="muted">${c.answer}: <bdi>${t.answer}</bdi></p>`:m}
    ${t.hidden?s`<p class="muted">${c.hidden(t.hiddenReason??``)}</p>`:m}
    ${d?s`<div class="actions">
          <button part="button" data-action="answer" aria-describedby=${n} @click=${()=>o.openDialog(`answer`,t)}>
            ${i.answer}
          </button>
        </div>`:m}
  </section>`}function Ue(e,t){return s`<details class="history" part="history">
    <summary>${e.words.history.title}</summary>
    <ol>
      ${ve(e.state).map(n=>s`<li>
          <b>${We(e,t,n.kind)}</b>
          <time datetime=${n.at} class="muted">${_(e,Date.parse(n.at))}</time>
          ${n.kind===`cancelled`?Ge(e,t):m}
        </li>`)}
    </ol>
  </details>`}function We(e,t,n){let{history:r,status:i}=e.words;if(n!==`cancelled`)return r[n];let a=t.cancellation?.cancelledBy;if(!a)return i.cancelled;let o=a===`mentor`?t.mentor?.name:a===`mentee`?t.mentee?.name:void 0;return t.cancellation?.type===`not_held`?r.notHeld:t.cancellation?.type===`no_show`&&o?r.noShow(o):a===S(e.state)?r.cancelled.you:a===`operator`||a===`system`?r.cancelled[a]:o?r.cancelledBy(o):i.cancelled}function Ge(e,{cancellation:t}){if(!t)return m;let{history:n}=e.words,{reason:r,fee:i,refund:a,late:o}=t,c=[i?.amount?`${n.fee(y(e,i))}${o?` (${n.late})`:``}`:null,a?.amount?n.refund(y(e,a)):null,v(e,t),r?n.reason(r):null];return s`${c.map(e=>e?s`<p class="muted">${e}</p>`:m)}`}var Ke=class{#e;constructor(e,t){this.context=e,this.words=t,u(e.element,e.signal,Te),this.#e=new we(e,t),p(e.element,e.signal,this.#e.store),new qe(e,this.#e)}render(e,t){queueMicrotask(()=>this.#e.open(e));let{context:n,words:r}=this,i=this.#e,{zone:a}=n.store.state;return Pe({context:n,flow:i,state:i.store.state,words:r(),locale:t,zone:a})}changed(e){this.#e.changed(e)}},qe=class{#e=!1;constructor(e,t){this.context=e,this.flow=t,e.element.addController(this),e.signal.addEventListener(`abort`,()=>e.element.removeController(this))}hostUpdate(){this.#e=this.#t?.activeElement!=null}hostUpdated(){let e=this.#t?.querySelector(`.session dialog`);if(!e)return;let t=this.flow.store.state.dialog!==null;t&&!e.open&&e.showModal(),!t&&e.open&&e.close(),this.#e&&!this.#t?.activeElement&&this.#t?.querySelector(`.session [data-focus]`)?.focus()}get#t(){return this.context.element.shadowRoot}};export{Ke as SessionPart};