import{ApiError as e,B as t,F as n,G as r,I as i,J as a,K as o,L as s,M as c,N as l,T as u,V as d,W as f,X as p,_ as m,a as h,d as g,f as _,h as v,i as y,n as b,q as x,t as S,u as ee,x as C,z as w}from"./session-booking.js";import{Keys as T,a as E,creditText as D,i as O,mapSome as te,r as k}from"./enhanced-D7dvrcRr.js";var ne=7;function re(e,t){let{calendar:n,mentorId:r,zone:i}=e;if(!n.to||n.error||n.isLoading&&!n.slots.length)return null;let a=ee(n.slots,r,t),o=d(c(l(t,i),ne),i);return{next:a[0]?g(a[0]):null,inWeek:n.to>=o?a.filter(e=>g(e)<o).length:null}}function ie(e,t,n,r){let i=(Date.parse(l(e,r))-Date.parse(l(t,r)))/864e5;return i<0||i>1?w(n,{weekday:`short`,day:`numeric`,month:`short`,hour:`numeric`,minute:`2-digit`,timeZone:r}).format(e):`${new Intl.RelativeTimeFormat(n,{numeric:`auto`}).format(i,`day`)}, ${s(e,n,r)}`}function ae(e,t,n){let{state:i}=e.store,a=Date.now(),o=re(i,a);if(!o)return r;let{next:s,inWeek:c}=o;return s===null?x`<span class="availability none" part="availability">${t.availability.none}</span>`:x`<span class="availability" part="availability"
      >${t.availability.next(ie(s,a,n,i.zone))}</span
    >
    ${c?x`<span class="muted">${v(e,c,t.plurals.weekly)}</span>`:r}`}var oe=p`
  .refused ul {
    margin-block-start: 6px;
    display: grid;
    gap: 4px;
    font-size: 0.92em;
  }
  .refused li {
    display: flex;
    flex-wrap: wrap;
    gap: 0 10px;
  }
  .availability {
    color: var(--success);
    font-weight: 600;
  }
  .availability.none {
    color: var(--warning);
  }
  .series .field {
    grid-template-columns: minmax(0, 1fr);
    min-inline-size: 0;
  }
  section.series {
    display: grid;
    gap: 8px;
  }
  .groups,
  .groups ul,
  .group {
    display: grid;
    gap: 8px;
  }
  .group {
    gap: 2px;
    padding: 10px 14px;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .group form {
    margin-block: 8px;
  }
`,A=20,se=6e4,ce=1e3,[j,M]=[`join`,`waitlist/accept-offer`];function N(e,t=!1){return e.joined?`joined`:e.waitlistPosition===null?t?`own`:e.full?`full`:`open`:e.waitlistPosition<=e.seatsOffered?`kept`:`waiting`}var le=class{#e;#t;#n;constructor(e,t){this.context=e,this.words=t,this.store=new S({groups:null,hasMore:!1,bundles:[],quotes:/* @__PURE__ */ new Map,keptUntil:/* @__PURE__ */ new Map,busy:null,done:null,failure:null}),this.isAsked=!1,this.#t=A,this.#n=0,this.#e=new T(e.client);let n=()=>{!document.hidden&&this.isAsked&&Date.now()-this.#n>se&&this.readAgain()};document.addEventListener(`visibilitychange`,n,{signal:e.signal}),addEventListener(`online`,n,{signal:e.signal})}ask(){!this.isAsked&&this.context.client.tokens.canSignIn&&(this.isAsked=!0,queueMicrotask(()=>this.readAgain()))}sessionChanged(e){this.store.state.groups?.some(t=>t.id===e.bookingId)&&this.readAgain()}isOwn(e){let{subject:t}=this.context.client.tokens,{offers:n}=this.context.store.state;return n.some(({mentor:n})=>n.id===e.mentorProfileId&&n.userId===t)}bundlesFor({courseId:e,durationMinutes:t}){return this.store.state.bundles.filter(n=>n.courseId===e&&(n.durationMinutes??t)===t)}readAgain(){this.store.state.busy||this.#o().catch(()=>void 0)}showMore(){this.#t+=A,this.readAgain()}look(e){let t=N(e);(t===`joined`?this.#c(e):t===`kept`?this.#l(e):null)?.catch(t=>this.#m(e,t))}join(e,t){return this.#r(e,`join`,j,t)}accept(e,t){return this.#r(e,`accept`,M,t)}wait(e){return this.#d(e,`wait`,async()=>{let{position:t}=await this.#u(`${P(e)}/waitlist`,{});return this.words().groups.waiting(t)})}unwait(e){return this.#d(e,`unwait`,async()=>{let t={method:`DELETE`,key:crypto.randomUUID(),signal:this.context.signal};return await this.context.client.request(`${P(e)}/waitlist`,t),this.words().groups.stopped})}leave(t,n){return this.#d(t,`leave`,async()=>{let r=await this.#c(t);if(r.fee.amount>n.fee.amount||n.creditReturned===!0&&!r.creditReturned||!r.allowed)throw e.ofPage(this.words().cancelling.costChanged);let i=await this.#a(t);return await this.#u(F(t),{}),this.context.emit(`cancelled`,{session:i}),this.words().done.leave})}#r(e,t,n,r){return this.#d(e,t,async()=>{let t={...r?{bundlePurchaseId:r}:{expectedPrice:e.price},expectedCancellation:e.cancellationPolicy};return await this.#i(await this.#u(`${P(e)}/${n}`,t)),this.words().groups.done})}async#i(e){let t=await this.#a(e).catch(()=>null);t&&this.context.emit(`booked`,{booking:e,session:t})}async#a({sessionId:t}){let{signal:n}=this.context;for(;;)try{return await this.context.client.get(`/sessions/${t}`,{},{signal:n})}catch(t){if(!(t instanceof e)||t.code!==`session_pending`)throw t;await f(t.retryAfter?t.retryAfter*1e3:ce,n)}}async#o(){let{client:e,options:t,signal:n,store:r}=this.context,{course:i,offers:a}=r.state,o=t.mentorId??(i?null:a[0]?.mentor.id),s=[],c=null,l=Date.now();do{let r={courseId:t.courseId,mentorProfileId:o,limit:A,cursor:c},i=await e.get(`/group-sessions`,r,{signal:n});s.push(...i.items),c=i.nextCursor}while(c&&s.length<this.#t);this.#n=l;let u=s.filter(e=>!e.cancelledAt);if(this.store.update({groups:u,hasMore:c!==null}),this.#s(u),!u.some(e=>e.courseId&&!e.joined))return;let d=await e.get(`/bundles`,{limit:100},{signal:n});this.store.update({bundles:d.items.filter(e=>e.status===`active`)})}#s(e){for(let t of e){if(!t.joined){this.#e.forget(F(t));continue}let e=[j,M].map(e=>`${P(t)}/${e}`).filter(e=>this.#e.isOpen(e));for(let t of e)this.#e.forget(t);e.length&&this.#i(t)}}async#c(e){let t=`/sessions/${e.sessionId}/cancellation-quote`,n=await this.context.client.get(t,{},{signal:this.context.signal});return this.store.update(({quotes:t})=>({quotes:new Map([...t,[e.id,n]])})),n}async#l(e){let{signal:t}=this.context;if(N(await this.context.client.get(P(e),{},{signal:t}))!==`kept`)return this.readAgain();let{offer:n}=await this.#u(`${P(e)}/waitlist`,{});if(!n)return this.readAgain();this.store.update(({keptUntil:t})=>({keptUntil:new Map([...t,[e.id,n.expiresAt]])}))}#u(e,t){let{signal:n}=this.context;return this.#e.send(e,t,r=>this.context.client.post(e,t,{key:r,signal:n}))}async#d(e,t,n){if(this.store.state.busy)return;let{id:r}=e;this.store.update({busy:{id:r,action:t},done:null,failure:null});let i=null;try{i=await n()}catch(t){if(this.context.signal.aborted)return;this.#m(e,t)}await this.#o().catch(()=>void 0),this.context.signal.aborted||(this.store.update({busy:null,...i&&{done:{id:r,sentence:i}}}),i&&(this.context.announce(i),await this.#f(r),t!==`wait`&&t!==`unwait`&&this.context.store.state.calendar.to&&this.context.flow.reloadSlots()))}async#f(e){let{element:t}=this.context;await t.updateComplete;let n=t.shadowRoot;n?.activeElement||n?.querySelector(`[data-group="${CSS.escape(e)}"]`)?.focus()}#p(e,{price:t,cancellation:n}){let r=t?{price:t}:{cancellationPolicy:n??null};this.store.update(({groups:t})=>({groups:t&&t.map(t=>t.id===e?{...t,...r}:t)}))}#m({id:t},n){if(this.context.signal.aborted)return;let r=e.ofPage(n);r.presentTerms&&this.#p(t,r.presentTerms),r.code!==`page`&&(this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`book`})),this.store.update({failure:{id:t,error:r}})}};function P({id:e}){return`/group-sessions/${e}`}function F(e){return`${P(e)}/leave`}var ue={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},de=e=>(...t)=>({_$litDirective$:e,values:t}),fe=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I:pe}=a,I=e=>e,L=()=>document.createComment(``),R=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new pe(r.insertBefore(L(),i),r.insertBefore(L(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=I(e).nextSibling;I(r).insertBefore(e,i),e=t}}}return n},z=(e,t,n=e)=>(e._$AI(t,n),e),B={},me=(e,t=B)=>e._$AH=t,he=e=>e._$AH,V=e=>{e._$AR(),e._$AA.remove()},H=(e,t,n)=>{let r=/* @__PURE__ */ new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},ge=de(class extends fe{constructor(e){if(super(e),e.type!==ue.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=he(e),{values:a,keys:s}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=s,a;let c=this.ut??=[],l=[],u,d,f=0,p=i.length-1,m=0,h=a.length-1;for(;f<=p&&m<=h;)if(i[f]===null)f++;else if(i[p]===null)p--;else if(c[f]===s[m])l[m]=z(i[f],a[m]),f++,m++;else if(c[p]===s[h])l[h]=z(i[p],a[h]),p--,h--;else if(c[f]===s[h])l[h]=z(i[f],a[h]),R(e,l[h+1],i[f]),f++,h--;else if(c[p]===s[m])l[m]=z(i[p],a[m]),R(e,i[f],i[p]),p--,m++;else if(u===void 0&&(u=H(s,m,h),d=H(c,f,p)),u.has(c[f])){if(u.has(c[p])){let t=d.get(s[m]),n=t===void 0?null:i[t];if(n===null){let t=R(e,i[f]);z(t,a[m]),l[m]=t}else l[m]=z(n,a[m]),R(e,i[f],n),i[t]=null;m++}else V(i[p]),p--}else V(i[f]),f++;for(;m<=h;){let t=R(e,l[h+1]);z(t,a[m]),l[m++]=t}for(;f<=p;){let e=i[f++];e!==null&&V(e)}return this.ut=s,me(e,l),o}}),_e=36e5;function ve(e,t){e.ask();let{groups:n,hasMore:i}=e.store.state;if(!n?.length)return r;let a=e.words(),{zone:o}=e.context.store.state;return x`<section class="groups" part="groups" aria-labelledby="groups-title">
    <h3 id="groups-title">${a.groups.title}</h3>
    <ul>
      ${ge(n,({id:e})=>e,n=>ye({groups:e,group:n,words:a,locale:t,zone:o}))}
    </ul>
    ${i?x`<div><button type="button" part="button" @click=${()=>e.showMore()}>${a.groups.more}</button></div>`:r}
  </section>`}function ye(e){let{groups:t,group:n,words:a,locale:o,zone:s}=e,{failure:c,done:l}=t.store.state,u=N(n,t.isOwn(n)),d=i(Date.parse(n.startTime),Date.parse(n.endTime),o,s),f=[n.mentor?.name,k({words:a,locale:o},n.price),U(e,u)];return x`<li class="group" data-group=${n.id} tabindex="-1" aria-label=${`${n.title??a.details.group}, ${d}`}>
    <b>${n.title??a.details.group}</b>
    <span>${d}</span>
    <span class="muted">${f.filter(Boolean).join(` · `)}</span>
    ${l?.id===n.id?x`<p class="message" part="message">${l.sentence}</p>`:r}
    ${be(e,u,d)}
    ${c?.id===n.id?x`<p class="message danger" part="message" role="alert">${we(e,c.error)}</p>`:r}
  </li>`}function U({groups:e,group:t,words:n},r){let i=t.capacity-t.seatsTaken-t.seatsOffered;switch(r){case`joined`:return n.groups.joined;case`kept`:return n.groups.kept;case`waiting`:return n.groups.waiting(t.waitlistPosition??0);default:return t.full?n.groups.full:v(e.context,i,n.plurals.places)}}function be(e,t,n){let{groups:i,group:a,words:o}=e,s=x`<span class="visually-hidden">(${n})</span>`,c=e=>{e.target.open&&i.look(a)};switch(t){case`joined`:return x`<details class="leave" @toggle=${c}>
        <summary>${o.leave} ${s}</summary>
        ${Ce(e)}
      </details>`;case`kept`:return x`<details class="kept" @toggle=${c}>
        <summary>${o.groups.takeKept} ${s}</summary>
        ${xe(e)}
      </details>`;case`waiting`:return x`<details class="waiting">
        <summary>${o.groups.unwait} ${s}</summary>
        ${G(e,`unwait`,o.groups.unwait,()=>i.unwait(a),x`<p class="muted">${o.groups.unwaitHint}</p>`)}
      </details>`;case`full`:return x`<details class="full">
        <summary>${o.groups.wait} ${s}</summary>
        ${G(e,`wait`,o.groups.wait,()=>i.wait(a),x`<p class="muted">${o.groups.waitHint}</p>`)}
      </details>`;case`open`:return x`<details class="join">
        <summary>${o.groups.join} ${s}</summary>
        ${W(e,`join`,o.groups.join,e=>i.join(a,e))}
      </details>`;default:return r}}function xe(e){let{groups:t,group:n,words:i,locale:a,zone:o}=e,s=t.store.state.keptUntil.get(n.id),c=t.store.state.busy;return x`${s?x`<p role="status">${i.groups.keptUntil(C({locale:a,zone:o},Date.parse(s)))}</p>`:r}
    ${W(e,`accept`,i.groups.takeKept,e=>t.accept(n,e))}
    <div class="actions">
      <button type="button" part="button" aria-disabled=${c?`true`:r} @click=${()=>t.unwait(n)}>
        ${c?.id===n.id&&c.action===`unwait`?i.working:i.groups.decline}
      </button>
    </div>`}function W(e,t,n,i){let{groups:a,group:o,words:s,locale:c}=e,l=k({words:s,locale:c},o.price),u=a.bundlesFor(o),d=t=>w(c,{timeZone:e.zone,dateStyle:`medium`}).format(Date.parse(t)),f=[...u.map(({id:e,remainingSessions:t,validTo:n})=>{let r=s.groups.byBundle(v(a.context,t,s.groups.credits));return{id:e,name:n?`${r}, ${s.groups.validUntil(d(n))}`:r}}),{id:``,name:l}];return G(e,t,u.length?n:s.groups.labelFor(n,l),e=>i(String(e.get(`bundle`)??``)),x`
    <p class="muted">${Se(e,u.length>0)}</p>
    ${u.length?x`<label class="field"
          ><span>${s.groups.payment}</span>
          <select name="bundle">
            ${f.map(({id:e,name:t})=>x`<option value=${e}>${t}</option>`)}
          </select></label
        >`:r}
  `)}function Se({group:e,words:t,locale:n,zone:r},i){let{groups:a}=t,o=e.cancellationPolicy;if(!o)return a.noLeaving;let s=!e.price.amount&&!i;if(!o.lateFeePercent||s)return a.alwaysFree;let c=Date.parse(e.startTime)-o.windowHours*_e,l=new Intl.NumberFormat(n,{style:`percent`}).format(o.lateFeePercent/100),u=c>Date.now()?`${a.freeUntil(C({locale:n,zone:r},c))} ${a.feeAfter(l)}`:a.lateFee(l);return i?`${u} ${a.lateCredit}`:u}function Ce(e){let{groups:t,group:n,words:r,locale:i}=e,a=t.store.state.quotes.get(n.id);if(!a)return x`<p role="status">${r.cancelling.loading}</p>`;if(!a.allowed)return x`<p>${r.groups.noLeaving}</p>`;let{fee:o,refund:s}=a,c=[`${o.amount?`${r.cancelling.fee}: ${k({words:r,locale:i},o)}`:r.cancelling.noFee}.`,s.amount?`${r.cancelling.refund}: ${k({words:r,locale:i},s)}.`:``,D(e,a)],l=x`<p role="status">${c.filter(Boolean).join(` `)}</p>`;return G(e,`leave`,r.cancelling.confirmLeave,()=>t.leave(n,a),l)}function G({groups:e,group:t,words:n},i,a,o,s){let{busy:c}=e.store.state;return x`<form class="form" aria-busy=${c?`true`:`false`} @submit=${e=>{e.preventDefault(),c||o(new FormData(e.target))}}>
    ${s}
    <div class="actions">
      <button class="primary" part="button primary" aria-disabled=${c?`true`:r}>
        ${c?.id===t.id&&c.action===i?n.working:a}
      </button>
    </div>
  </form>`}function we({groups:e,words:t},n){return n.code===`page`?n.message:t.groups.problems[n.code]??t.problems[n.code]??m(e.context.words,n)}var Te=1e4,K=[`busy`,`limit`,`time_off`,`too_soon`,`beyond_horizon`,`outside_hours`];function Ee({items:e,refused:t=[]},n){let r=/* @__PURE__ */ new Map;for(let{startTime:e,mentorProfileId:i,reason:a}of t){if(n&&i!==n)continue;let t=Date.parse(e),o=r.get(t);(!o||K.indexOf(a)<K.indexOf(o))&&r.set(t,a)}for(let{startTime:t,mentorProfileIds:i}of e)(!n||i.includes(n))&&r.set(Date.parse(t),null);let i=[],a=null;for(let[e,t]of[...r].sort(([e],[t])=>e-t)){let n=i.at(-1);n&&t!==null&&t===a?n.to=e:t!==null&&i.push({from:e,to:e,reason:t}),a=t}return i}var De=class{#e;#t;#n;constructor(e,t){this.context=e,this.words=t,this.store=new S({isOpen:!1,key:``,ranges:null,isStale:!1,error:null}),this.#t=null,this.#n=0,this.#e=new h(e.signal)}render(e,t){let{isOpen:n,key:i}=this.store.state,a=this.words(),{slots:o}=this.context.store.state.calendar,s=o!==this.#t&&Date.now()>this.#n+Te;return n&&(s||i!==this.#i(e))&&queueMicrotask(()=>void this.#a(e)),x`<details class="refused" part="refused" ?open=${n} @toggle=${async({target:t})=>{let n=t;n.open!==this.store.state.isOpen&&(this.store.update({isOpen:n.open}),n.open&&(await this.#a(e),await this.context.element.updateComplete,n.scrollIntoView({block:`nearest`})))}}>
      <summary>${a.refused.title}</summary>
      <div aria-live="polite">${n?this.#r(a,t):r}</div>
    </details>`}#r({refused:e},t){let{ranges:r,isStale:i,error:a}=this.store.state;if(a)return x`<p class="error">${e.failed}</p>`;if(!r)return x`<p class="muted">${this.context.words.loading}</p>`;if(!r.length)return x`<p class="muted">${e.none}</p>`;let o={timeZone:this.context.store.state.zone,hour:`numeric`,minute:`2-digit`},s=w(t,o),c=({reason:t,from:n})=>t===`too_soon`&&n<Date.now()?e.past:e.reasons[t];return x`<p class="muted">${i?e.stale:e.starts}</p>
      <ul>
        ${r.map(e=>x`<li><b>${e.from===e.to?s.format(e.from):n(s,e.from,e.to)}</b>
              <span class="muted">${c(e)}</span></li>`)}
      </ul>`}#i(e){let{zone:t,mentorId:n,listing:r,durationMinutes:i}=this.context.store.state;return[e,t,n,r?.id,i].join()}async#a(t){let{client:n,store:r}=this.context,{zone:i,mentorId:a,calendar:o}=r.state,s=y(r.state),l=this.#i(t);if(!s||this.store.state.key===l&&this.#t===o.slots)return;let u=this.#e.next();this.#t=o.slots,this.#n=Date.now(),this.store.update(({key:e,ranges:t})=>({key:l,ranges:e===l?t:null,error:null}));let f={...s.query,from:new Date(d(t,i)).toISOString(),to:new Date(d(c(t,1),i)).toISOString(),timeZone:i,explain:!0};try{let e=await n.get(s.path,f,{open:!0,signal:u}),t=Ee(e,a);this.store.update({ranges:t,isStale:!!e.staleCalendars?.length&&!e.items.length})}catch(t){u.aborted||this.store.update({error:e.ofPage(t)})}}},q=864e5,Oe={everyWeeks:0,ends:`count`,count:4,until:``,skip:!0};function ke(e){let{everyWeeks:t,ends:n,count:r,until:i,skip:a}=e;return t?{...n===`count`?{count:r}:{until:i},everyWeeks:t,onConflict:a?`skip`:`fail`}:null}function J(e,t,n){if(!e.everyWeeks)return null;let r=X(e,l(t,n)),i=!(r>=2&&r<=52);return e.ends===`count`?i||!Number.isInteger(r)?`badCount`:null:i?r>52?`tooMany`:`tooFew`:null}function Y(e,n,r){if(!e.everyWeeks||J(e,n,r))return[];let i=l(n,r),a=n+t(n,r)-Date.parse(`${i}T00:00:00Z`);return Array.from({length:X(e,i)},(t,o)=>o===0?{start:n,exists:!0}:Ae(c(i,o*7*e.everyWeeks),a,r))}function X({ends:e,count:t,until:n,everyWeeks:r},i){if(e===`count`)return t;let a=(Date.parse(`${n}T00:00:00Z`)-Date.parse(`${i}T00:00:00Z`))/q;return Math.floor(a/(7*r))+1}function Ae(e,n,r){let i=Date.parse(`${e}T00:00:00Z`)+n,a=[t(i-q,r),t(i+q,r)],o=a.map(e=>i-e).filter(e=>e+t(e,r)===i);return o.length?{start:Math.min(...o),exists:!0}:{start:i-(a[0]??0),exists:!1}}var je=3,Me=6e4,Ne=[0,1,2,3,4],Pe={slot_taken:[`busy`],outside_hours:[`outside_hours`,`time_off`],too_soon:[`too_soon`],beyond_horizon:[`beyond_horizon`],booking_limit:[`limit`],no_such_time:[`no_such_time`]},Z={...Oe,isWithdrawing:!1,error:null,checks:/* @__PURE__ */ new Map},Fe=class{#e;#t;constructor(e,t){this.context=e,this.words=t,this.store=new S(Z),this.#e=new T(e.client),this.#t=new h(e.signal),e.store.subscribe((e,t)=>{(e.slot!==t.slot||e.zone!==t.zone||e.slotMentorId!==t.slotMentorId)&&(this.store.update(e.slot?{checks:/* @__PURE__ */ new Map}:Z),this.#l())},e.signal)}recurrence(){return ke(this.store.state)}sessions(){let{slot:e,zone:t}=this.context.store.state,n=e?Y(this.store.state,Date.parse(e.startTime),t):[],{skip:r}=this.store.state,i=n.filter(e=>!r||!Q(this.#a(e,n)));return Math.max(i.length,1)}hasMistake(){let{slot:e,zone:t}=this.context.store.state;return e!==null&&J(this.store.state,Date.parse(e.startTime),t)!==null}render(e){let{context:t,store:n}=this,{slot:i,zone:a}=t.store.state;if(!i)return r;let{repeat:o}=this.words(),{everyWeeks:s,ends:d,count:f,until:p,skip:m}=n.state,h=Date.parse(i.startTime),g=J(n.state,h,a),_=l(h,a),v=g?`true`:`false`;return x`<fieldset class="fields series" part="series">
      <legend class="visually-hidden">${o.title}</legend>
      <div class="field">
        <label for="series-every">${o.title}</label>
        <select id="series-every" data-value=${s} @change=${e=>this.#c({everyWeeks:Number(u(e))})}>
          ${Ne.map(e=>x`<option value=${e}>${e?o.weeks(e):o.none}</option>`)}
        </select>
      </div>
      ${s?x`<div class="columns">
              <div class="field">
                <label for="series-ends">${o.ends}</label>
                <select id="series-ends" data-value=${d} @change=${e=>this.#s(u(e),_)}>
                  <option value="count">${o.byCount}</option>
                  <option value="until">${o.byDate}</option>
                </select>
              </div>
              ${d===`count`?x`<div class="field">
                    <label for="series-count">${o.count}</label>
                    <input
                      id="series-count"
                      type="number"
                      inputmode="numeric"
                      min=${2}
                      max=${52}
                      .value=${Number.isNaN(f)?``:String(f)}
                      aria-invalid=${v}
                      aria-describedby="series-error"
                      @input=${e=>this.#c({count:parseInt(u(e),10)})}
                    />
                  </div>`:x`<div class="field">
                    <label for="series-until">${o.until}</label>
                    <input
                      id="series-until"
                      type="date"
                      min=${c(_,7*s)}
                      max=${c(_,7*s*51)}
                      .value=${p}
                      aria-invalid=${v}
                      aria-describedby="series-error"
                      @change=${e=>this.#c({until:u(e)})}
                    />
                  </div>`}
            </div>
            <p class="error" id="series-error" role=${g?`alert`:r}>${g?o[g]:r}</p>
            <label class="check"
              ><input type="checkbox" .checked=${m} @change=${()=>this.store.update({skip:!m})} />
              <span>${o.skip}<br /><small class="muted">${o.skipHint}</small></span></label
            >
            ${this.#i(Y(n.state,h,a),e)}`:r}
    </fieldset>`}renderResult(t,n){let{context:i}=this,a=this.words(),{zone:o}=i.store.state,s=v(i,t.made.length,a.plurals.dates),c=t.made.every(e=>e.sessionId===null);return x`<section class="series" part="series">
      <h3>${c?a.repeat.requested(s):a.repeat.made(s)}</h3>
      <ul class="dates" tabindex="0" aria-label=${a.series.dates}>
        ${t.made.map(({startTime:e})=>x`<li>${C({locale:n,zone:o},Date.parse(e))}</li>`)}
      </ul>
      ${t.skipped.length?x`<h3>${a.repeat.skipped}</h3>
            <ul class="dates" tabindex="0" aria-label=${a.repeat.skipped}>
              ${t.skipped.map(({startTime:t,code:r,message:a})=>x`<li>
                    ${C({locale:n,zone:o},Date.parse(t))}
                    <small class="muted">${this.#o(t,r)??m(i.words,new e(409,r,a))}</small>
                  </li>`)}
            </ul>`:r}
      ${c&&i.store.state.submission.kind===`requested`?this.#n(t):r}
    </section>`}#n(e){let t=this.words(),{isWithdrawing:n,error:i}=this.store.state;return x`<div class="actions">
        <button
          part="button"
          aria-disabled=${n?`true`:r}
          @click=${()=>n||this.#r(e)}
        >
          ${n?t.working:t.repeat.withdrawAll(v(this.context,e.made.length,t.plurals.requests))}
        </button>
      </div>
      ${i?x`<p class="message danger" part="message" role="alert">${t.problems[i.code]??m(this.context.words,i)}</p>`:r}`}async#r({id:t,made:n}){let{client:r,flow:i,store:a}=this.context,{submission:o}=a.state;if(o.kind===`requested`){this.store.update({isWithdrawing:!0,error:null});try{let e={from:n[0]?.startTime,reason:this.words().repeat.withdrawn},a=`/series/${t}/cancel`;await this.#e.send(a,e,t=>r.post(a,e,{key:t})),i.bookingChanged(await r.get(`/bookings/${o.booking.id}`))}catch(t){this.store.update({error:e.ofPage(t)})}this.store.update({isWithdrawing:!1})}}#i(e,t){if(!e.length)return r;let{context:n}=this,i=this.words(),{zone:a}=n.store.state,o=e.map(t=>this.#a(t,e)),s=o.filter(e=>e===`free`).length,c=!o.includes(`checking`);return x`<div class="field">
      <span id="series-dates">${i.series.dates}</span>
      <p class="muted" role="status">${c?v(n,s,i.plurals.freeDates):i.repeat.checking}</p>
      <ul class="dates" tabindex="0" aria-labelledby="series-dates">
        ${e.map((e,n)=>{let r=o[n]??`unknown`;return x`<li class=${Q(r)?`taken`:r}>
            ${C({locale:t,zone:a},e.start)} <small>${$(i,r)}</small>
          </li>`})}
      </ul>
    </div>`}#a({start:e,exists:t},n){if(!t)return`no_such_time`;let r=e===n[0]?.start?`free`:this.store.state.checks.get(e)??`checking`,i=this.context.store.state.listing?.bookingMode===`request`;return r===`busy`&&i?`requested`:r}#o(e,t){let n=this.store.state.checks.get(Date.parse(e)),r=Pe[t],i=r?.find(e=>e===n)??r?.[0];return i&&$(this.words(),i)}#s(e,t){let{everyWeeks:n,count:r,until:i}=this.store.state;if(e===`count`)return this.#c({ends:e});let a=c(t,7*n*(Math.max(r||2,2)-1));this.#c({ends:`until`,until:i||a})}#c(e){this.store.update(e),this.#l()}async#l(){let e=this.#t.next(),{slot:t,zone:n}=this.context.store.state;if(!t)return;let r=Y(this.store.state,Date.parse(t.startTime),n).slice(1).filter(({start:e,exists:t})=>t&&!this.store.state.checks.has(e));await te(r,je,async({start:t})=>{let n=e.aborted?`unknown`:await this.#u(t,e).catch(()=>`unknown`);e.aborted||this.store.update(({checks:e})=>({checks:new Map([...e,[t,n]])}))})}async#u(e,t){let{client:n,store:r}=this.context,{zone:i,slotMentorId:a,mentorId:o}=r.state,s=y(r.state);if(!s)return`unknown`;let c={...s.query,from:new Date(e).toISOString(),to:new Date(e+Me).toISOString(),stepMinutes:5,timeZone:i,explain:!0},{items:l,refused:u=[]}=await n.get(s.path,c,{open:!0,signal:t}),d=a??o,f=e=>!d||e.includes(d);return l.some(t=>Date.parse(t.startTime)===e&&f(t.mentorProfileIds))?`free`:u.find(t=>Date.parse(t.startTime)===e&&f([t.mentorProfileId]))?.reason??`unknown`}};function Q(e){return![`free`,`checking`,`unknown`,`requested`].includes(e)}function $({repeat:e,refused:t},n){switch(n){case`checking`:return e.checking;case`free`:case`unknown`:return e[n];case`requested`:return e.takenRequest;case`no_such_time`:return e.noSuchTime;default:return e.taken(t.reasons[n])}}var Ie={repeat:{title:`Repeat`,none:`Does not repeat`,weeks:e=>e===1?`Every week`:`Every ${e} weeks`,ends:`Ends`,byCount:`After a number of sessions`,byDate:`On a date`,count:`Number of sessions`,until:`Last date`,skip:`Leave out dates that are not free`,skipHint:`Otherwise nothing is booked if one of them is not free.`,checking:`Checking …`,free:`free`,taken:e=>`not free: ${e}`,takenRequest:`taken, but requested all the same`,unknown:`checked when you book`,noSuchTime:`the clocks skip this time`,tooMany:`A series has at most 52 sessions. Please choose an earlier last date.`,tooFew:`Please choose a last date after the first session.`,badCount:`Please enter a number from 2 to 52.`,made:e=>`Booked: ${e}`,requested:e=>`Requested: ${e}`,skipped:`Left out`,withdrawAll:e=>`Withdraw all ${e}`,withdrawn:`The requests were withdrawn.`},refused:{title:`Why are other times not offered?`,starts:`Starting times that cannot be booked:`,none:`All times of this day are offered.`,failed:`The reasons could not be loaded.`,stale:`The coach's own calendar cannot be read at the moment, so that all of these times count as taken.`,past:`over, or too soon to be booked`,reasons:{beyond_horizon:`too far ahead to be booked yet`,too_soon:`too soon to be booked`,time_off:`the coach is away`,outside_hours:`outside the coach's hours`,busy:`already taken`,limit:`the coach has enough sessions then`}},availability:{next:e=>`Next free time: ${e}`,none:`No free time at present`},groups:{title:`Group sessions`,full:`Full`,joined:`You have a place`,kept:`A place is kept for you`,waiting:e=>`You are number ${e} on the waiting list`,more:`Show more`,join:`Take a place`,takeKept:`Take the place`,keptUntil:e=>`It is kept for you until ${e}.`,decline:`Decline the place`,wait:`Join the waiting list`,waitHint:`When a place becomes free, it is kept for the first in line, who is notified.`,unwait:`Leave the waiting list`,unwaitHint:`You lose your place in line.`,stopped:`You are not on the waiting list any more.`,payment:`Payment`,credits:{one:`{n} session left`,other:`{n} sessions left`},labelFor:(e,t)=>`${e}: ${t}`,byBundle:e=>`Bundle: ${e}`,validUntil:e=>`valid until ${e}`,freeUntil:e=>`You can give it up free of charge until ${e}.`,feeAfter:e=>`After that, ${e} of the price is due.`,lateFee:e=>`If you give it up, ${e} of the price is due.`,lateCredit:`Of a bundle, the session is used up then.`,alwaysFree:`You can give it up free of charge until it begins.`,noLeaving:`You cannot give up the place yourself once you have it.`,done:`You have a place.`,problems:{group_full:`All places have been taken meanwhile.`,already_joined:`You have a place already.`,seats_free:`There are free places again: you can take one.`,no_offer:`The place is not kept for you any more.`,invalid_transition:`The session has begun, or was cancelled.`,not_found:`This group could not be found any more.`,slot_taken:`You already have a session at this time.`,bundle_unusable:`This bundle cannot pay for it.`,not_cancellable:`You cannot give up the place yourself.`}}},Le=class{#e;#t;constructor(e,t){this.context=e;let n=()=>E(Ie,t());this.words=n;let{element:r,signal:i}=e;_(r,i,oe),this.#e=new Fe(e,n),this.#t=new De(e,n),this.groups=new le(e,n),b(r,i,this.#e.store,this.#t.store,this.groups.store)}get hasMistake(){return this.#e.hasMistake()}get sessions(){return this.#e.sessions()}get recurrence(){return this.#e.recurrence()}renderAvailability(){return ae(this.context,this.words(),this.#n)}renderRefused(e){return this.#t.render(e,this.#n)}renderGroups(){return ve(this.groups,this.#n)}renderSeriesFields(){return this.#e.render(this.#n)}renderSeries(e){return this.#e.renderResult(e,this.#n)}sessionChanged(e){this.groups.sessionChanged(e)}get#n(){return O(this.context.options.locale)}};export{Le as BookingExtras};