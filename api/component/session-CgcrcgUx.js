import{ApiError as e,C as t,E as n,G as r,I as i,R as a,W as o,X as s,_ as c,f as l,h as u,n as d,q as f,t as p,x as m}from"./session-booking.js";import{Keys as h,creditText as g,mapSome as _,n as v,r as y}from"./enhanced-D7dvrcRr.js";var ee=4;async function te(e,t,n,r){let i=await ne(e,t,n,r),a=await _(i,ee,async({status:t,sessionId:n})=>t!==`accepted`||!n?null:e.get(`/sessions/${n}/cancellation-quote`,{},{signal:r})),o=a.filter(e=>e?.allowed).map(e=>e);return{items:i.flatMap(({startTime:e,status:t},r)=>{let i=t===`draft`&&n!==`operator`;return i||a[r]?.allowed?{startTime:e,isDraft:i}:[]}),fee:b(o.map(e=>e.fee)),refund:b(o.map(e=>e.refund)),credits:o.filter(v).length}}async function ne(e,t,n,r){let{seriesId:i,listingId:a,from:o}=t,s=[],c=null;do{let t={role:n===`operator`?null:n,from:o,listingId:a,order:`asc`,limit:100,cursor:c},l=await e.get(`/bookings`,t,{signal:r});s.push(...l.items.filter(e=>e.seriesId===i)),c=l.nextCursor}while(c);return s}function b(e){let[t]=e;return t?{currency:t.currency,amount:e.reduce((e,{amount:t})=>e+t,0)}:null}var re=20;async function ie(e,t,n,r){let i=n?await ae(e,t,r):null;if(i)return{permit:i,reviews:[]};let a={sessionId:t.id,limit:100},{items:o}=await e.get(`/mentors/${t.mentorProfileId}/reviews`,a,{signal:r});return{permit:i,reviews:o}}async function ae(e,t,n){let r=null;for(let i=0;i<re;i++){let i=await e.get(`/reviews/permits`,{limit:100,cursor:r},{signal:n}),a=i.items.find(({sessionId:e})=>e===t.id);if(r=i.nextCursor,a||!r)return a??null}return null}function x(e=Date.now()){return{phase:`loading`,session:null,tag:null,booking:null,quote:null,permit:null,reviews:[],plan:null,dialog:null,answering:null,doing:null,waiting:null,error:null,fieldErrors:{},notice:null,now:e}}function S(e){let t=e.quote?.cancelledBy;return t&&t!==`system`?t:null}function oe(e){return e!==`mentee`&&e!==`mentor`?[]:[e===`mentee`?`client_request`:`coach_request`,`emergency`,`other`]}function C({session:e,booking:t}){return t?t.kind===`group`:e!==null&&e.menteeUserId===null}function w(e){return e.earlyStartMinutes===null?-1/0:Date.parse(e.startTime)-e.earlyStartMinutes*6e4}var se=9e5;function T({startTime:e}){return Date.parse(e)+se}function E(e){let{session:t,now:n}=e,r=S(e),i=t?.status,a=r===`mentee`||r===`mentor`,o=t!==null&&n>=w(t),s=r===`mentee`&&C(e),c=i===`scheduled`&&e.quote?.allowed===!0;return{join:t?.joinUrl&&D(t.joinUrl)?t.joinUrl:null,start:i===`scheduled`&&a&&o,startsLater:i===`scheduled`&&a&&!o,complete:i===`in_progress`&&(r===`mentor`||r===`operator`),cancel:c&&!s,leave:c&&s,noShow:i===`scheduled`&&n>=T(t)?ce(e):[],review:i===`completed`&&e.permit!==null&&!e.reviews.length,answer:r===`mentor`&&e.reviews.some(e=>e.answeredAt===null),cancelSeries:!!e.booking?.seriesId&&r!==null&&i===`scheduled`}}function ce(e){let t=C(e)?[`mentor`]:[`mentee`,`mentor`];return S(e)===null?[]:t.filter(t=>t!==S(e))}function le({booking:e,quote:t}){if(!e||!t)return null;let n=t.policy?t.policy.lateFeePercent:100;return{percent:n,fee:{...e.price,amount:Math.floor((e.price.amount*n+50)/100)}}}function D(e){return/^https?:\/\//i.test(e)}var O=6e4,ue=18e5,de=36e5,fe=216e5;function pe(e,t,n,r){let{status:i}=e;if(i===`completed`||i===`cancelled`)return null;let a=i===`scheduled`?[T(e),Date.parse(r??``)]:[],o=[w(e),...a],s=Math.min(...o.map(e=>e>t?e-t+500:1/0)),c=Date.parse(e.startTime)-ue,l=t>Date.parse(e.endTime)+fe,u=n||l?1/0:i===`in_progress`||t>c?O:c-t,d=Math.min(s,u);return d===1/0?null:Math.min(d,de)}function me({session:e,booking:t,reviews:n}){if(!e)return[];let r=[[t!==null&&Date.parse(e.createdAt)-Date.parse(t.createdAt)>O?t.createdAt:null,`requested`],[e.createdAt,`booked`],[e.startedAt,`started`],[e.completedAt,`completed`],[e.cancelledAt,`cancelled`],[e.cancellation?.waivedAt,`waived`]];for(let{createdAt:e,answeredAt:t}of n)r.push([e,`reviewed`],[t,`answered`]);return r.flatMap(([e,t])=>e?[{at:e,kind:t}]:[]).sort((e,t)=>Date.parse(e.at)-Date.parse(t.at))}function k({allowed:e,fee:t,refund:n,creditReturned:r,policy:i}){let a=t.amount>0||n.amount>0||r!==null;return e&&(!a||i?.lateFeePercent===0)}function he(e,t){return e.allowed===t.allowed&&e.fee.amount===t.fee.amount&&e.refund.amount===t.refund.amount&&e.creditReturned===t.creditReturned}var ge={start:`in_progress`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`};function _e(e){return e.split(`
`).flatMap(e=>e.trim()||[])}function ve(e,t,n){let r={};for(let[i,a]of Object.entries(e)){let[e=``,o]=i.split(`.`),s=a.map(e=>o===void 0?n(e):t(String(Number(o)+1),n(e)));r[e]=[...r[e]??[],...s]}return r}var ye=30,A=6e4,j=3e3,M=6e4,N=class{#e;#t;#n;constructor(e,t,n){this.context=e,this.store=t,this.words=n,this.#e=``,this.#n=0,this.onWaiting=e=>{this.store.state.doing&&this.store.update({waiting:e})}}open(e){this.#e=e;let{signal:t}=this.context;t.addEventListener(`abort`,()=>clearTimeout(this.#t)),document.addEventListener(`visibilitychange`,()=>{let{session:e,doing:t}=this.store.state;!document.hidden&&e&&!t&&Date.now()-this.#n>M&&this.readLater()},{signal:t})}readLater(){this.read().catch(()=>this.schedule())}async read(){let{signal:t}=this.context;for(let n=1;;n++)try{let e=null,n={signal:t,onTag:t=>e=t},r=await this.context.client.get(`/sessions/${this.#e}`,{},n);this.#n=Date.now(),this.context.telemetry.loaded();let i=this.store.state.session;if(i&&Date.parse(i.updatedAt)>Date.parse(r.updatedAt))return this.schedule();this.#i(r),this.store.update({session:r,tag:e,phase:`ready`,now:Date.now()}),await this.readRest(r);return}catch(r){if(!(r instanceof e)||r.code!==`session_pending`||n>=ye)throw r;this.store.update({phase:`preparing`}),await o((r.retryAfter??1)*1e3,t)}}async readRest(t){let{client:n,signal:r}=this.context,i=null,[a,o]=await Promise.all([n.get(`/bookings/${t.bookingId}`,{},{signal:r}).catch(()=>this.store.state.booking),this.quote().catch(t=>(i=e.ofPage(t),this.store.state.quote))]);if(r.aborted)return;let s=this.store.state.quote!==null;this.store.update({booking:a,quote:o,now:Date.now()}),s||this.store.update({error:o?null:i}),this.schedule(),t.status===`completed`&&this.#r(t,r).catch(()=>void 0)}async#r(e,t){let n=Date.parse(e.completedAt??``);for(;;){let r=await ie(this.context.client,e,S(this.store.state)===`mentee`,t);if(this.store.update(r),r.permit||r.reviews.length||Date.now()-n>A)return;await o(j,t)}}plan(){let{session:e,booking:t}=this.store.state,n={seriesId:t?.seriesId,listingId:t?.listingId,from:e?.startTime};return te(this.context.client,n,S(this.store.state),this.context.signal)}quote(){let e={signal:this.context.signal,onWaiting:this.onWaiting};return this.context.client.get(`/sessions/${this.#e}/cancellation-quote`,{},e)}schedule(){clearTimeout(this.#t);let{session:e,phase:t,quote:n}=this.store.state;if(!e||t!==`ready`)return;let{realtime:r}=this.context,i=pe(e,Date.now(),r?.followsSessions??!1,n?.freeUntil);if(i===null)return;let{signal:a}=this.context;this.#t=setTimeout(()=>{a.aborted||(document.hidden||this.store.state.doing?this.schedule():this.readLater())},i)}#i(e){let{session:t,doing:n}=this.store.state;if(!t||n||t.status===e.status)return;let r=this.words(),i=r.changed(r.status[e.status]);this.store.update({notice:i,dialog:null}),this.context.announce(i)}},P=6e4,F={start:`started`,complete:`completed`,cancel:`cancelled`,"no-show":`cancelled`},be=/* @__PURE__ */ new Set([`already_reviewed`,`already_answered`,`review_not_open`]),xe=class{#e;#t;#n;#r;constructor(e,t){this.context=e,this.words=t,this.store=new p(x()),this.#e=null,this.#r=null,this.#n=new h(e.client),this.#t=new N(e,this.store,t)}open(e){e!==this.#e&&(this.#e=e,this.store.update(x()),this.#t.open(e),this.load())}async load(){let{signal:t}=this.context;this.store.update({error:null,phase:this.store.state.session?`ready`:`loading`});try{await this.#t.read()}catch(n){if(t.aborted)return;let r=e.ofPage(n);this.store.update({error:r,phase:this.store.state.session?`ready`:`failed`}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`session`})}}changed(e){let{session:t,doing:n,phase:r}=this.store.state;e.id===this.#e&&t?.updatedAt!==e.updatedAt&&r!==`left`&&(n?this.#r=e:t?this.#t.readLater():this.load())}openDialog(e,t=null){this.store.update({dialog:e,answering:t,error:null,fieldErrors:{},notice:null,plan:null}),e===`cancel`&&this.#m(e,async()=>this.store.update({quote:await this.#t.quote()})),e===`series`&&this.#m(e,async()=>this.store.update({plan:await this.#t.plan()}))}closeDialog(){this.store.state.dialog&&this.store.update({dialog:null,error:null,fieldErrors:{}})}refuse(e,t){this.store.update({fieldErrors:{[e]:[t]}})}start(){let{onStart:e}=this.context.options.sessionActions??{};return this.#a(`start`,e&&(()=>e(this.#i)),{})}complete(e){let{onComplete:t}=this.context.options.sessionActions??{};return this.#a(`complete`,t&&(()=>t(this.#i,e)),e)}async cancel(t,n,r){let{quote:i,doing:a}=this.store.state,o=this.words();if(a)return;let s=E(this.store.state).leave?`leave`:`cancel`;if(s===`cancel`&&!t.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);let{onCancel:c}=this.context.options.sessionActions??{};if(c)return this.#a(s,()=>c(this.#i,t,r),{});await this.#f(s,async()=>{let a=await this.#t.quote();if(i?.allowed&&!a.allowed)throw new e(412,`stale`);if(i&&!he(i,a)){this.store.update({quote:a,notice:o.cancelling.costChanged});return}if(s===`leave`)return this.#l(t);let c={reason:t,type:r,...a.cancelledBy===`mentee`&&a.refund.amount>0&&{refundRequested:n}};this.#c(s,await this.#s(s,c))})}async review(e,t){let n=this.words();if(!e)return this.refuse(`rating`,n.reviewing.ratingMissing);await this.#f(`review`,async()=>{let n={rating:e,...t.trim()&&{comment:t.trim()}},r=await this.#h(`/sessions/${this.#i}/review`,n);this.store.update({reviews:[r],permit:null}),this.#d(`review`)})}async reportNoShow(e){await this.#f(`no-show`,async()=>{this.#c(`no-show`,await this.#s(`no-show`,{who:e}))})}async answer(e){let{answering:t}=this.store.state;if(!e)return this.refuse(`answer`,this.words().reviewing.answerMissing);await this.#f(`answer`,async()=>{let n={answer:e,reviewId:t?.id},r=await this.#h(`/sessions/${this.#i}/review/answer`,n),i=this.store.state.reviews.map(e=>e.id===r.id?r:e);this.store.update({reviews:i}),this.#d(`answer`)})}async cancelSeries(e,t,n){let{session:r,booking:i,plan:a}=this.store.state,o=this.words();if(!e.trim())return this.refuse(`reason`,o.cancelling.reasonMissing);await this.#f(`series`,async()=>{let s=await this.#t.plan();if(JSON.stringify(s)!==JSON.stringify(a))return this.store.update({plan:s,notice:o.cancelling.costChanged});let c={from:r?.startTime,reason:e,type:n,refundRequested:t},{kept:l}=await this.#h(`/series/${i?.seriesId}/cancel`,c);if(await this.#t.read(),this.#d(`series`),l.length){let e=u(this.context,l.length,o.plurals.dates);this.store.update({notice:`${o.done.series} ${o.series.kept(e)}`})}let d=this.store.state.session;d?.status===`cancelled`&&this.#u(`cancel`,d)})}get#i(){return this.#e??``}async#a(e,t,n){let{session:r}=this.store.state;await this.#f(e,async()=>{let i=ge[e];if(this.context.options.optimistic&&r&&i&&this.store.update({session:{...r,status:i}}),!t)return this.#c(e,await this.#s(e,n));await this.#o(t),await this.#t.read();let a=this.store.state.session;a&&a.status===i?this.#c(e,a):this.store.update({dialog:null})})}async#o(t){let{signal:n}=this.context,r=Promise.resolve(t());if(await Promise.race([r.then(()=>!1),o(P,n).then(()=>!0)]))throw r.then(()=>n.aborted?void 0:this.load(),()=>void 0),new e(0,`timeout`)}#s(e,t){let{tag:n}=this.store.state;return this.#h(`/sessions/${this.#i}/${e}`,t,{ifMatch:n,onTag:e=>this.store.update({tag:e})})}#c(e,t){this.store.update({session:t}),this.#d(e),e in F&&this.#u(e,t),this.#t.readRest(t).catch(()=>void 0)}async#l(e){let{session:t}=this.store.state;await this.#h(`/group-sessions/${t?.bookingId}/leave`,e?{reason:e}:{}),this.store.update({phase:`left`}),this.#d(`leave`),t&&this.#u(`cancel`,t)}#u(e,t){this.context.emit(F[e],{session:t}),this.context.flow.sessionChanged(t)}#d(e){let t=this.words().done[e];this.store.update({dialog:null,notice:t,error:null,fieldErrors:{},now:Date.now()}),this.context.announce(t),this.#t.schedule()}async#f(t,n){let{session:r,tag:i,doing:a}=this.store.state;if(a)return;let{signal:o}=this.context;this.store.update({doing:t,error:null,fieldErrors:{},notice:null});try{await n()}catch(n){if(o.aborted)return;this.store.update({session:r,tag:i}),await this.#p(t,e.ofPage(n))}finally{if(!o.aborted){this.store.update({doing:null,waiting:null});let e=this.#r;this.#r=null,e&&this.changed(e)}}}async#p(e,t){let n=e===`start`||e===`complete`||e===`cancel`?e:`session`;if(t.code!==`page`&&this.context.telemetry.failed(t),this.context.emit(`failed`,{error:t,during:n}),t.status===412||t.code===`invalid_transition`){await this.#t.read().catch(()=>void 0);let t=E(this.store.state);({...t,series:t.cancelSeries,"no-show":t.noShow.length>0})[e]||this.store.update({dialog:null})}be.has(t.code)&&(this.store.update({dialog:null}),await this.#t.read().catch(()=>void 0)),this.store.update({error:t,fieldErrors:ve(t.details,this.words().form.line,this.context.words.reason)})}async#m(t,n){let{signal:r}=this.context;try{await n()}catch(n){!r.aborted&&this.store.state.dialog===t&&this.store.update({error:e.ofPage(n)})}}#h(e,t,n={}){let{signal:r}=this.context;return this.#n.send(`${e} ${n.ifMatch??``}`,t,i=>this.context.client.post(e,t,{...n,key:i,signal:r,onWaiting:this.#t.onWaiting}))}},Se=s`
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
  >`}function L({state:e,context:t}){return e.waiting?n({words:t.words,now:Date.now()},e.waiting):r}function R(e,t){return f`<p class="message danger" part="message" role="alert">${z(e,t)}</p>`}function z(e,t){if(!t)return``;let{words:n,context:r,state:i}=e;return t.code===`page`?t.message||n.page:t.code===`too_early`&&i.session?`${n.problems.too_early} ${n.startFrom(m(e,w(i.session)))}`:n.problems[t.code]??c(r.words,t)}var B=5e3,V=50,H=500,U={isOptional:!1,rows:2,maxLength:1e3},Ce=[1,2,3,4,5];function we(e,t){switch(t){case`complete`:return Te(e);case`cancel`:return Ee(e);case`review`:return Oe(e);case`answer`:return ke(e);case`no-show`:return Ae(e);case`series`:return De(e)}}function W(e,{title:t,content:n,confirm:i,keep:a,submit:o}){let{state:s,words:c,flow:l}=e,u=s.doing!==null,d=e=>{e.preventDefault(),u||o(new FormData(e.target))},p=u?`true`:r;return f`<form class="form" novalidate aria-busy=${u?`true`:`false`} @submit=${d}>
    <h2 id="dialog-title">${t}</h2>
    ${s.notice?f`<p class="message warning" part="message" role="alert">${s.notice}</p>`:r}
    ${n} ${L(e)} ${s.error?R(e,s.error):r}
    <div class="actions">
      ${i?f`<button class="primary" part="button primary" aria-disabled=${p}>${u?c.working:i}</button>`:r}
      <button type="button" part="button" @click=${()=>l.closeDialog()}>${a}</button>
    </div>
  </form>`}function Te(e){let{words:t,flow:n}=e,{form:r}=t,i={isOptional:!0,rows:3,maxLength:B};return W(e,{title:t.complete,content:f`${J(e,`notes`,r.notes,{...i,hint:r.notesHint})}
    ${J(e,`actionItems`,r.actionItems,{...i,hint:r.actionItemsHint,maxLength:26e3})}
    ${Y(e,r.rating,!0)}
    ${J(e,`feedback`,r.feedback,{...i,hint:r.feedbackHint})}`,confirm:t.complete,keep:r.keep,submit:e=>{let[t,i]=[Q(e,`notes`),Q(e,`feedback`)],[a,o]=[Number(e.get(`rating`)),_e(Q(e,`actionItems`))],s=o.findIndex(e=>e.length>H)+1;return s?n.refuse(`actionItems`,r.itemTooLong(s,H)):o.length>V?n.refuse(`actionItems`,r.tooManyItems(V)):n.complete({...t&&{notes:t},...a&&{rating:a},...i&&{feedback:i},...o.length&&{actionItems:o}})}})}function Ee(e){let{words:t,state:n,flow:i}=e,{cancelling:a}=t,{quote:o}=n,s=S(n)===`mentee`&&C(n),c={title:s?a.leaveTitle:a.title,keep:a.keep,submit:e=>i.cancel(Q(e,`reason`),e.has(`refund`),Z(e))};if(!o)return W(e,{...c,content:f`<p role="status">${a.loading}</p>`,confirm:null});if(!o.allowed){let n=o.policy?a.closed:t.noCancelling;return W(e,{...c,content:f`<p>${n}</p>`,confirm:null})}let l=o.fee.amount?a.confirmFee(y(e,o.fee)):a.confirm;return W(e,{...c,content:f`<dl class="summary" part="summary" aria-live="polite">
        <div><dt>${a.fee}</dt><dd>${o.fee.amount?y(e,o.fee):a.noFee}</dd></div>
        ${o.refund.amount?f`<div><dt>${a.refund}</dt><dd>${y(e,o.refund)}</dd></div>`:r}
      </dl>
      ${o.freeUntil&&!o.late&&!k(o)?f`<p class="muted">${t.freeUntil(m(e,Date.parse(o.freeUntil)))}</p>`:r}
      ${o.creditReturned===null?r:f`<p>${g(e,o)}</p>`}
      ${o.cancelledBy!==`mentee`&&o.refund.amount?f`<p class="muted">${C(n)?a.refundToAll:a.refundToMentee}</p>`:r}
      ${s?J(e,`reason`,a.reason,{...U,hint:a.leaveHint,isOptional:!0}):K(e)}
      ${o.cancelledBy===`mentee`&&!s&&o.refund.amount?q(a.wantRefund(y(e,o.refund))):r}`,confirm:s&&!o.fee.amount?a.confirmLeave:l})}function De(e){let{words:t,state:n,flow:i}=e,{series:a,cancelling:o}=t,{plan:s}=n,c={title:a.cancelTitle,keep:a.keep,submit:e=>i.cancelSeries(Q(e,`reason`),e.has(`refund`),Z(e))};if(!s){let t=n.error?r:f`<p role="status">${o.loading}</p>`;return W(e,{...c,content:t,confirm:null})}if(!s.items.length)return W(e,{...c,content:f`<p>${a.nothing}</p>`,confirm:null});let l=S(n)===`mentee`,d=s.refund?.amount?y(e,s.refund):null;return W(e,{...c,content:f`<p>${a.affected(u(e.context,s.items.length,t.plurals.dates))}</p>
      <ul class="dates" tabindex="0" aria-label=${a.dates}>
        ${s.items.map(({startTime:t,isDraft:n})=>f`<li>${m(e,Date.parse(t))} ${n?f`<small>(${a.draft})</small>`:r}</li>`)}
      </ul>
      <dl class="summary" part="summary">
        <div><dt>${o.fee}</dt><dd>${s.fee?.amount?y(e,s.fee):o.noFee}</dd></div>
        ${d?f`<div><dt>${o.refund}</dt><dd>${d}</dd></div>`:r}
      </dl>
      ${s.credits?f`<p>${u(e.context,s.credits,t.plurals.credits)}</p>`:r} ${K(e)}
      ${l&&d?q(o.wantRefund(d)):r}`,confirm:a.confirm})}function Oe(e){let{words:t,state:n,flow:r}=e,{reviewing:i}=t;return W(e,{title:i.title(n.session?.mentor?.name??``),content:f`${Y(e,i.rating,!1)}
    ${J(e,`comment`,i.comment,{hint:i.commentHint,isOptional:!0,rows:4,maxLength:B})}`,confirm:i.send,keep:t.form.keep,submit:e=>r.review(Number(e.get(`rating`))||null,Q(e,`comment`))})}function ke(e){let{words:t,state:n,flow:i}=e,{reviewing:a}=t;return W(e,{title:a.answerTitle,content:f`${n.answering?.comment?f`<blockquote dir="auto">${n.answering.comment}</blockquote>`:r}
    ${J(e,`answer`,a.answer,{hint:a.answerHint,isOptional:!1,rows:4,maxLength:B})}`,confirm:a.sendAnswer,keep:t.form.keep,submit:e=>i.answer(Q(e,`answer`))})}function Ae(e){let{words:t,state:n,flow:i}=e,{absence:a}=t,{noShow:o}=E(n),s=e=>n.session?.[e]?.name??a[e],c=o.length===1,[l]=o;return W(e,{title:l&&c?a.title(s(l)):a.titleEither,content:c?f`<p>${a.cancels} ${G(e,l,s)}</p>`:f`<p>${a.cancels}</p>
          <fieldset class="fields">
            <legend class="visually-hidden">${a.titleEither}</legend>
            ${o.map(t=>f`<label class="check"
                  ><input type="radio" name="who" value=${t} aria-invalid=${n.fieldErrors.who?`true`:r} />
                  <span>${s(t)}<br /><small class="muted">${G(e,t,s)}</small></span></label
                >`)}
            ${X(`who`,n.fieldErrors.who)}
          </fieldset>`,confirm:o.length?a.confirm:null,keep:t.form.keep,submit:e=>{let t=c?l:e.get(`who`);return t?i.reportNoShow(t):i.refuse(`who`,a.titleEither)}})}function G(e,t,n){let{absence:r,cancelling:i}=e.words;if(t===`mentor`)return C(e.state)?i.refundToAll:r.refundAll;let a=le(e.state);return a?e.state.booking?.bundlePurchaseId?a.percent?i.creditSpent:r.owesNothing:a.fee.amount?r.owes(n(t),y(e,a.fee)):r.owesNothing:``}function K(e){let{reason:t,reasonHint:n,type:i,types:a}=e.words.cancelling,o=oe(S(e.state));return f`${o.length?f`<div class="field">
        <label for="type">${i}</label>
        <select id="type" name="type">
          ${o.map(e=>f`<option value=${e}>${a[e]}</option>`)}
        </select>
      </div>`:r}
  ${J(e,`reason`,t,{...U,hint:n})}`}function q(e){return f`<label class="check"><input type="checkbox" name="refund" checked /> ${e}</label>`}function J(e,t,n,i){let{words:a,state:o}=e,s=o.fieldErrors[t];return f`<div class="field">
    <label for=${t}>${n} ${i.isOptional?f`<span class="muted">(${a.form.optional})</span>`:r}</label>
    <textarea
      id=${t}
      name=${t}
      rows=${i.rows}
      maxlength=${i.maxLength}
      dir="auto"
      ?required=${!i.isOptional}
      ?readonly=${o.doing!==null}
      aria-invalid=${s?`true`:`false`}
      aria-describedby="${t}-hint ${t}-error"
    ></textarea>
    <p class="muted" id="${t}-hint">${i.hint}</p>
    ${X(t,s)}
  </div>`}function Y(e,t,n){let{words:i,state:a}=e,o=a.fieldErrors.rating,s=(e,t,n)=>f`<label><input type="radio" name="rating" value=${e||``} ?checked=${!e}
      aria-label=${n} aria-invalid=${o&&e===1?`true`:r} /><span aria-hidden="true">${t}</span></label>`;return f`<fieldset class="rating" aria-describedby="rating-error">
    <legend>${t} ${n?f`<span class="muted">(${i.form.optional})</span>`:r}</legend>
    <div>
      ${Ce.map(e=>s(e,f`${e} ★`,`${e} – ${i.form.stars(e)}`))}
      ${n?s(0,i.form.noRating,i.form.noRating):r}
    </div>
    ${X(`rating`,o)}
  </fieldset>`}function X(e,t){return f`<p class="error" id="${e}-error" role=${t?`alert`:r}>${t?.join(` `)??r}</p>`}function Z(e){return e.get(`type`)??void 0}function Q(e,t){return String(e.get(t)??``).trim()}function je(e){let{state:n,words:i,context:a,flow:o}=e,{session:s,phase:c}=n;if(c===`failed`){let{signInUrl:r}=a.options;return f`<div class="message danger" part="message" role="alert">
      <p>${z(e,n.error)}</p>
      ${n.error?.status===401?t(r,a.words.form.signInLink,()=>a.flow.signIn()):f`<button part="button" @click=${()=>o.load()}>${i.reload}</button>`}
    </div>`}let l=E(n),u=s?.status??a.options.sessionStatus;return f`<section class="result session" part="session" aria-labelledby="session-title" aria-busy=${c===`loading`}>
    <div class="head">
      <h2 id="session-title" tabindex="-1" data-focus>${s?.title??i.untitled}</h2>
      ${u&&c!==`left`?Ne(e,u):r}
    </div>
    ${c===`preparing`?f`<p class="muted" role="status">${i.preparing}</p>`:r}
    ${n.notice&&!n.dialog?f`<p class="message" part="message">${n.notice}</p>`:r}
    ${n.error&&!n.dialog?R(e,n.error):r}
    ${c===`ready`&&!S(n)?f`<div><button part="button" @click=${()=>o.load()}>${i.reload}</button></div>`:r}
    ${n.dialog?r:L(e)}
    ${s?Pe(e,s,l):f`<span class="skeleton tall" aria-hidden="true"></span>`}
    <dialog
      part="dialog"
      aria-labelledby="dialog-title"
      @close=${e=>Me(e.currentTarget,o)}
    >
      ${n.dialog?we(e,n.dialog):r}
    </dialog>
  </section>`}function Me(e,t){e.open||t.closeDialog()}function Ne({words:e},t){let n=e.status[t]??t;return f`<span class="status ${t}" part="status">${n}</span>`}function Pe(e,t,n){let{context:i,state:a}=e,o=i.options.showSessionActions&&a.phase===`ready`;return f`${o?$(e,t,n):r} ${Fe(e,t)}
  ${Re(e,o)} ${Be(e,t)}`}function $(e,t,n){let{flow:i,words:a,state:o}=e,s=n.startsLater&&w(t),c=t.location===null||t.location.kind===`online`,l=e=>()=>i.openDialog(e),u=o.doing!==null,d=(e,t,n,i=!1)=>f`<button
      part=${i?`button primary`:`button`}
      class=${i?`primary`:``}
      data-action=${e}
      aria-disabled=${u?`true`:r}
      @click=${()=>u||n()}
    >
      ${o.doing===e&&!o.dialog?a.working:t}
    </button>`,p=[n.join&&f`<a class="button primary" part="button primary" href=${n.join} target="_blank" rel="noopener noreferrer"
        >${a.join} <span class="visually-hidden">${a.newWindow}</span></a
      >`,n.start&&d(`start`,a.start,()=>i.start(),!n.join),n.complete&&d(`complete`,a.complete,l(`complete`),!n.join),n.review&&d(`review`,a.review,l(`review`),!0),n.cancel&&d(`cancel`,a.cancel,l(`cancel`)),n.leave&&d(`leave`,a.leave,l(`cancel`)),n.noShow.length&&d(`no-show`,a.noShow,l(`no-show`)),n.cancelSeries&&d(`series`,a.cancelSeries,l(`series`))].filter(Boolean),h=s?(c?a.startAndJoinFrom:a.startFrom)(m(e,s)):``;return!p.length&&!h?r:f`<div class="actions">${p}</div>
    ${h?f`<p class="muted">${h}</p>`:r}`}function Fe(e,t){let{words:n,state:o,locale:s,zone:c}=e,{booking:l}=o,u=S(o),d=u===`mentor`?t.mentee?.name:t.mentor?.name,p=u===`operator`?[t.mentor?.name,t.mentee?.name].filter(Boolean).join(`, `):d,m=i(Date.parse(t.startTime),Date.parse(t.endTime),s,c),h=l&&(l.bundlePurchaseId?n.details.credit:y(e,l.price)),g=(e,t)=>t?f`<div><dt>${e}</dt><dd>${t}</dd></div>`:r,_=e=>e?f`<span class="written" dir="auto">${e}</span>`:r,v=t.actionItems??[];return f`<dl class="summary" part="summary">
    ${g(n.details.with,p??(C(o)?n.details.group:null))}
    ${g(n.details.when,f`${m}<br /><span class="muted">${a(c,s,Date.parse(t.startTime))}</span>`)}
    ${g(n.details.where,Ie(e,t))} ${g(n.details.price,h)}
    ${g(n.details.terms,Le(e,t))} ${g(n.details.about,t.description&&_(t.description))}
    ${g(n.details.notes,t.notes&&_(t.notes))}
    ${g(n.details.actionItems,v.length?f`<ul class="items">${v.map(e=>f`<li dir="auto">${e}</li>`)}</ul>`:null)}
    ${g(n.details.rating,t.rating?I(e,t.rating):null)}
    ${g(n.details.feedback,t.feedback&&f`${_(t.feedback)}<span class="muted">${n.details.private}</span>`)}
  </dl>`}function Ie({words:e,context:t},n){let{location:r}=n;return!r||r.kind===`online`?t.words.form.online:r.value?r.kind===`phone`?f`<a href="tel:${r.value.replace(/[^\d+]/g,``)}">${r.value}</a>`:D(r.value)?f`<a href=${r.value} rel="noopener">${r.value}</a>`:r.value:e.details.sharedOtherwise}function Le(e,t){let{words:n,state:r}=e;if(t.status!==`scheduled`||r.phase===`left`||S(r)!==`mentee`||!r.quote)return null;if(!r.quote.allowed)return n.noCancelling;let{freeUntil:i,late:a,fee:o}=r.quote;return k(r.quote)?n.alwaysFree:a?o.amount?`${n.cancelling.fee}: ${y(e,o)}`:n.cancelling.noFee:i?n.freeUntil(m(e,Date.parse(i))):null}function Re(e,t){let{words:n,state:r}=e,{reviews:i,permit:a}=r;return a?f`<p class="muted">${n.reviewing.until(m(e,Date.parse(a.expiresAt)))}</p>`:f`${i.map((n,r)=>ze(e,n,`review-${r}`,t))}`}function ze(e,t,n,i){let{words:a,state:o,flow:s}=e,{reviewing:c}=a,l=o.reviews.length===1,u=S(o)===`mentee`?c.yours:l?c.theirs:c.by(t.reviewer),d=i&&t.answeredAt===null&&S(o)===`mentor`;return f`<section class="review" aria-labelledby=${n}>
    <h3 id=${n}>${u}</h3>
    <p>${I(e,t.rating)}</p>
    ${t.comment?f`<p dir="auto">${t.comment}</p>`:r}
    ${t.answer?f`<p class="muted">${c.answer}: <bdi>${t.answer}</bdi></p>`:r}
    ${t.hidden?f`<p class="muted">${c.hidden(t.hiddenReason??``)}</p>`:r}
    ${d?f`<div class="actions">
          <button part="button" data-action="answer" aria-describedby=${n} @click=${()=>s.openDialog(`answer`,t)}>
            ${a.answer}
          </button>
        </div>`:r}
  </section>`}function Be(e,t){return f`<details class="history" part="history">
    <summary>${e.words.history.title}</summary>
    <ol>
      ${me(e.state).map(n=>f`<li>
          <b>${Ve(e,t,n.kind)}</b>
          <time datetime=${n.at} class="muted">${m(e,Date.parse(n.at))}</time>
          ${n.kind===`cancelled`?He(e,t):r}
        </li>`)}
    </ol>
  </details>`}function Ve(e,t,n){let{history:r,status:i}=e.words;if(n!==`cancelled`)return r[n];let a=t.cancellation?.cancelledBy;if(!a)return i.cancelled;let o=a===`mentor`?t.mentor?.name:a===`mentee`?t.mentee?.name:void 0;return t.cancellation?.type===`not_held`?r.notHeld:t.cancellation?.type===`no_show`&&o?r.noShow(o):a===S(e.state)?r.cancelled.you:a===`operator`||a===`system`?r.cancelled[a]:o?r.cancelledBy(o):i.cancelled}function He(e,{cancellation:t}){if(!t)return r;let{history:n}=e.words,{reason:i,fee:a,refund:o,late:s}=t,c=[a?.amount?`${n.fee(y(e,a))}${s?` (${n.late})`:``}`:null,o?.amount?n.refund(y(e,o)):null,g(e,t),i?n.reason(i):null];return f`${c.map(e=>e?f`<p class="muted">${e}</p>`:r)}`}var Ue=class{#e;constructor(e,t){this.context=e,this.words=t,l(e.element,e.signal,Se),this.#e=new xe(e,t),d(e.element,e.signal,this.#e.store),new We(e,this.#e)}render(e,t){queueMicrotask(()=>this.#e.open(e));let{context:n,words:r}=this,i=this.#e,{zone:a}=n.store.state;return je({context:n,flow:i,state:i.store.state,words:r(),locale:t,zone:a})}changed(e){this.#e.changed(e)}},We=class{#e=!1;constructor(e,t){this.context=e,this.flow=t,e.element.addController(this),e.signal.addEventListener(`abort`,()=>e.element.removeController(this))}hostUpdate(){this.#e=this.#t?.activeElement!=null}hostUpdated(){let e=this.#t?.querySelector(`.session dialog`);if(!e)return;let t=this.flow.store.state.dialog!==null;t&&!e.open&&e.showModal(),!t&&e.open&&e.close(),this.#e&&!this.#t?.activeElement&&this.#t?.querySelector(`.session [data-focus]`)?.focus()}get#t(){return this.context.element.shadowRoot}};export{Ue as SessionPart};